/** The networks of a container, for those who ask about it. */
import type { ContainerNetwork } from '../../shared/protocol/containers.ts'
import { prefixOf } from '../network/ipam.ts'
import { readEndpoint, readNetwork, subnetOfFamily } from '../network/records.ts'
import type { ContainerContext } from './context.ts'

export function describeNetworks(
  { network: { networks, endpoints } }: Pick<ContainerContext, 'network'>,
  id: string,
): ContainerNetwork[] {
  return endpoints.ofContainer(id).flatMap((row) => {
    const endpoint = readEndpoint(row)
    const found = networks.find(endpoint.networkId)
    if (found === undefined) return []
    const network = readNetwork(found)
    const [ipv4, ipv6] = [subnetOfFamily(network, 4), subnetOfFamily(network, 6)]
    return {
      networkId: network.id,
      networkName: network.name,
      interface: endpoint.interface,
      ipv4Address: endpoint.ipv4,
      ipv4Gateway: endpoint.ipv4 === null ? null : (ipv4?.gateway ?? null),
      ipv4PrefixLength: ipv4 === undefined || endpoint.ipv4 === null ? 0 : prefixOf(ipv4.subnet),
      ipv6Address: endpoint.ipv6,
      ipv6Gateway: endpoint.ipv6 === null ? null : (ipv6?.gateway ?? null),
      ipv6PrefixLength: ipv6 === undefined || endpoint.ipv6 === null ? 0 : prefixOf(ipv6.subnet),
      macAddress: endpoint.mac,
      aliases: endpoint.aliases,
    }
  })
}

/** In the order in which it joined them. */
export function networkNames(
  { network: { networks, endpoints } }: Pick<ContainerContext, 'network'>,
  id: string,
): string[] {
  return endpoints.ofContainer(id).flatMap(({ networkId }) => networks.find(networkId)?.name ?? [])
}
