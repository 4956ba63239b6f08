/** Networks and endpoints as the rest of the daemon sees them. */
import { createHash } from 'node:crypto'
import type { EndpointRow, NetworkRow } from '../state/networks.ts'

/** The network that containers join unless they are told otherwise. */
export const defaultNetworkName = 'bridge'

/** One family's part of a network. */
export interface NetworkSubnet {
  /** `10.64.0.0/20` */
  subnet: string
  /** The bridge's own address in it. */
  gateway: string
  /** Addresses are handed out from this part only. */
  ipRange?: string
}

/** What was decided when a network was made, as its row in the database keeps it. */
export interface NetworkRecord {
  labels: Record<string, string>
  /** `--opt`, as given. */
  options: Record<string, string>
  /** No way out, and no names but those of its containers. */
  isInternal: boolean
  /** Of its links; null for that of the host's default route. */
  mtu: number | null
  /** At most one per family, IPv4 first. */
  subnets: NetworkSubnet[]
}

export interface Network extends Omit<NetworkRow, 'record'>, NetworkRecord {}

export interface Endpoint extends Omit<EndpointRow, 'aliases'> {
  aliases: string[]
}

/** The rows were written by kago itself, from checked requests. */
export function readNetwork({ record, ...row }: NetworkRow): Network {
  return { ...row, ...(JSON.parse(record) as NetworkRecord) }
}

export function readEndpoint(row: EndpointRow): Endpoint {
  return { ...row, aliases: JSON.parse(row.aliases) as string[] }
}

/** The part of a network in one family. */
export function subnetOfFamily(network: Network, family: 4 | 6): NetworkSubnet | undefined {
  return network.subnets.find(({ subnet }) => subnet.includes(':') === (family === 6))
}

/** The host's end of a container's link to a network; an interface's name has room for 15 characters. */
export function hostInterfaceOf(containerId: string, networkId: string): string {
  return `kv${createHash('sha256').update(`${containerId} ${networkId}`).digest('hex').slice(0, 13)}`
}

/** The bridge of a network that a user made. */
export function bridgeOf(networkId: string): string {
  return `kg-${networkId.slice(0, 12)}`
}
