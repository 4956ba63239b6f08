/** Published ports: at which addresses of the host, and where they lead. Pure. */
import type { PublishedPort } from '../../shared/protocol/containers.ts'
import type { PortRow } from '../state/ports.ts'
import type { FirewallPort } from './firewall.ts'
import type { Endpoint, Network } from './records.ts'

/** Where a connection is passed on to. */
export interface Target {
  address: string
  port: number
}

/** The addresses of a container by which its ports are reached. */
export interface ContainerAddresses {
  ipv4: string | null
  ipv6: string | null
}

/** Ports lead into the first network that leads out; of an internal one nothing is published. */
export function publishingAddresses(
  joined: readonly { network: Network; endpoint: Endpoint }[],
): ContainerAddresses {
  const outward = joined.filter(({ network, endpoint }) => !network.isInternal && endpoint.interface !== null)
  const first = (family: 'ipv4' | 'ipv6') =>
    outward.map(({ endpoint }) => endpoint[family]).find((address) => address !== null) ?? null
  return { ipv4: first('ipv4'), ipv6: first('ipv6') }
}

/** All IPv4 and all IPv6 addresses of the host, unless something else was said. */
export function hostAddressesOf(
  { hostAddress }: Pick<PublishedPort, 'hostAddress'>,
  publishAddress: string,
): string[] {
  const address = hostAddress ?? publishAddress
  return address === '' ? ['0.0.0.0', '::'] : [address]
}

/** Where the firewall leads it: within one family, and the kernel lets no answer in for ::1. */
export function leadOf(row: PortRow, addresses: ContainerAddresses): FirewallPort | undefined {
  const isIpv6 = row.hostAddress.includes(':')
  const containerAddress = isIpv6 ? addresses.ipv6 : addresses.ipv4
  if (containerAddress === null || row.hostAddress === '::1') return undefined
  const { hostAddress, hostPort, protocol, containerPort } = row
  return { hostAddress, hostPort, protocol, containerPort, containerAddress }
}

/** Where the daemon passes on what the firewall does not lead. */
export function targetOf(row: PortRow, { ipv4, ipv6 }: ContainerAddresses): Target | undefined {
  const address = row.hostAddress.includes(':') ? (ipv6 ?? ipv4) : (ipv4 ?? ipv6)
  return address === null ? undefined : { address, port: row.containerPort }
}

/** Whether both cannot be had at once. */
export function collide(
  a: Pick<PortRow, 'hostAddress' | 'hostPort' | 'protocol'>,
  b: Pick<PortRow, 'hostAddress' | 'hostPort' | 'protocol'>,
): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false
  if (a.hostAddress.includes(':') !== b.hostAddress.includes(':')) return false
  const isAll = (address: string) => address === '0.0.0.0' || address === '::'
  return a.hostAddress === b.hostAddress || isAll(a.hostAddress) || isAll(b.hostAddress)
}

/** Whether a port that is published is what somebody named: `8080`, `127.0.0.1:8080`, or `8080:80`. */
export function isPortOf(row: PortRow, wanted: PublishedPort): boolean {
  return (
    row.protocol === wanted.protocol &&
    (wanted.hostPort === undefined || row.hostPort === wanted.hostPort) &&
    (wanted.hostAddress === undefined || row.hostAddress === wanted.hostAddress) &&
    (wanted.containerPort === 0 || row.containerPort === wanted.containerPort)
  )
}
