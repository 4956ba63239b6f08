/** What the files of a container's names are made from. */
import type { NameOptions } from '../network/etc-text.ts'
import { defaultNetworkName, readEndpoint, readNetwork } from '../network/records.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'

export function nameOptions(
  { config, network: { networks, endpoints } }: ContainerContext,
  { id, record: { options, hostname } }: Container,
): NameOptions {
  const { network, extraHosts, dns, dnsSearch = [], dnsOptions = [] } = options
  const joined = endpoints.ofContainer(id).flatMap((row) => {
    const endpoint = readEndpoint(row)
    const found = networks.find(endpoint.networkId)
    return found === undefined || endpoint.interface === null
      ? []
      : [{ endpoint, network: readNetwork(found) }]
  })
  // The network that leads out first.
  const ordered = joined.toSorted((a, b) => Number(a.network.isInternal) - Number(b.network.isInternal))
  return {
    network: network === 'none' || network === 'host' ? network : 'own',
    hostname,
    endpoints: ordered.map((one) => ({
      addresses: [one.endpoint.ipv4, one.endpoint.ipv6].filter((address) => address !== null),
      gateways: one.network.subnets.map(({ gateway }) => gateway),
      hasNames: one.network.name !== defaultNetworkName,
    })),
    extraHosts,
    dns,
    dnsSearch,
    dnsOptions,
    hostResolvConf: config.resolvConf,
  }
}
