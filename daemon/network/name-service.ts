/** The name server as the verbs of networks and containers use it: they say what has changed, it answers by that. */
import type { Log } from '../telemetry/log.ts'
import { createNames, type Names } from './dns/names.ts'
import { createHostResolvers } from './dns/resolvers.ts'
import { createNameServer, type NameServer } from './dns/server.ts'
import { defaultNetworkName, type Network, readEndpoint } from './records.ts'
import type { EndpointTable } from '../state/networks.ts'

export interface NameService {
  readonly names: Names
  readonly server: NameServer
}

/** `resolvConf`: the file that says whom to ask for the names of others. */
export function createNameService(log: Log, resolvConf: string): NameService {
  const names = createNames()
  return { names, server: createNameServer({ names, resolvers: createHostResolvers(resolvConf), log }) }
}

/**
 * Answers at the gateways of a network, whose bridge must be up; the port. The firewall is to lead port 53 of the
 * gateways there; without a firewall `port` is 53 itself. To be called again after a restart of the daemon.
 * @throws in_use, unavailable
 */
export async function openNames({ names, server }: NameService, network: Network, port = 0): Promise<number> {
  names.putNetwork({
    id: network.id,
    name: network.name,
    subnets: network.subnets.map(({ subnet }) => subnet),
    isInternal: network.isInternal,
    hasNames: network.name !== defaultNetworkName,
  })
  const gateways = network.subnets.map(({ gateway }) => gateway)
  return await server.listen(network.id, gateways, port)
}

export async function closeNames({ names, server }: NameService, networkId: string): Promise<void> {
  names.dropNetwork(networkId)
  await server.unlisten(networkId)
}

/** What the name server has to know of a container beside where it is. */
export interface AnnouncedContainer {
  id: string
  name: string
  hostname: string
  /** The name servers that it was given. */
  dns: readonly string[]
}

/**
 * Says what a container is called and where it is, by what its endpoints hold now: after it was attached to networks,
 * detached from some or all, or renamed.
 */
export function announceContainer(
  { nameService: { names }, endpoints }: { nameService: NameService; endpoints: EndpointTable },
  { id, name, hostname, dns }: AnnouncedContainer,
): void {
  names.dropContainer(id)
  for (const endpoint of endpoints.ofContainer(id).map(readEndpoint)) {
    const addresses = [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== null)
    if (addresses.length === 0) continue
    names.putEndpoint(endpoint.networkId, {
      containerId: id,
      containerName: name,
      aliases: [...endpoint.aliases, hostname],
      addresses,
      nameServers: dns,
    })
  }
}
