/** Networks as those who ask are told of them: one by one, or as a list narrowed by filters. */
import { KagoError } from '../../shared/errors.ts'
import type { NetworkDetails, NetworkEndpoint, NetworkSummary } from '../../shared/protocol/networks.ts'
import type { NetworkContext } from './context.ts'
import { findNetwork } from './find.ts'
import { defaultNetworkName, type Endpoint, type Network, readEndpoint, readNetwork } from './records.ts'

export function inspectNetwork(context: NetworkContext, text: string): NetworkDetails {
  const network = findNetwork(context, text)
  const containers = context.endpoints
    .ofNetwork(network.id)
    .map((row) => describeEndpoint(context, readEndpoint(row)))
    .toSorted((a, b) => (a.containerName < b.containerName ? -1 : 1))
  return { ...describe(network), containers }
}

/** By name. */
export function listNetworks(context: NetworkContext, filters: readonly string[] = []): NetworkSummary[] {
  const matches = networkFilter(context, filters)
  return context.networks
    .list()
    .map(readNetwork)
    .filter(matches)
    .map((network) => ({
      ...describe(network),
      containers: context.endpoints.ofNetwork(network.id).length,
    }))
}

function describe(network: Network): Omit<NetworkSummary, 'containers'> {
  return {
    id: network.id,
    name: network.name,
    createdAt: new Date(network.createdAt).toISOString(),
    bridge: network.bridge,
    internal: network.isInternal,
    ipv6: network.subnets.some(({ subnet }) => subnet.includes(':')),
    mtu: network.mtu,
    subnets: network.subnets,
    labels: network.labels,
    options: network.options,
  }
}

export function describeEndpoint({ containers }: NetworkContext, endpoint: Endpoint): NetworkEndpoint {
  return {
    containerId: endpoint.containerId,
    containerName: containers.find(endpoint.containerId)?.name ?? '',
    interface: endpoint.interface,
    ipv4Address: endpoint.ipv4,
    ipv6Address: endpoint.ipv6,
    macAddress: endpoint.mac,
    aliases: endpoint.aliases,
  }
}

type Filter = (context: NetworkContext, network: Network, value: string) => boolean

/** As Docker's. */
const filterTable: Readonly<Record<string, Filter>> = {
  id: (_context, { id }, value) => id.startsWith(value),
  name: (_context, { name }, value) => name.includes(value),
  driver: (_context, _network, value) => value === 'bridge',
  scope: (_context, _network, value) => value === 'local',
  type: (_context, { name }, value) => (name === defaultNetworkName) === (value === 'builtin'),
  dangling: ({ endpoints }, { id, name }, value) =>
    (endpoints.ofNetwork(id).length === 0 && name !== defaultNetworkName) === (value === 'true'),
  label: (_context, network, value) => hasLabel(network, value),
}

function hasLabel({ labels }: Network, text: string): boolean {
  const at = text.indexOf('=')
  return at < 0 ? Object.hasOwn(labels, text) : labels[text.slice(0, at)] === text.slice(at + 1)
}

/**
 * Several values of one key are alternatives, different keys must all hold.
 * @throws invalid_argument naming the filters there are.
 */
function networkFilter(context: NetworkContext, texts: readonly string[]): (network: Network) => boolean {
  const filters = new Map<string, string[]>()
  for (const text of texts) {
    const at = text.indexOf('=')
    const key = at < 0 ? text : text.slice(0, at)
    if (at < 0 || !Object.hasOwn(filterTable, key)) {
      throw new KagoError('invalid_argument', `no such filter: ${text}`, {
        hint: `a filter is KEY=VALUE with one of ${Object.keys(filterTable).join(', ')}`,
      })
    }
    filters.set(key, [...(filters.get(key) ?? []), text.slice(at + 1)])
  }
  return (network) =>
    [...filters].every(([key, values]) => values.some((value) => filterTable[key]?.(context, network, value)))
}
