/** Gives a container its links to networks: addresses first, in the records, then the links themselves. */
import {
  addAddress,
  addDefaultRoute,
  changeLink,
  deleteLink,
  getLink,
  newVeth,
  readLink,
  reflectAtBridge,
  withoutOwnAddress,
} from '../host/links.ts'
import { type Answer, type Message, messageTypes } from '../host/netlink.ts'
import type { Namespace } from '../host/netns.ts'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { ensureBridge } from './bridge.ts'
import type { NetworkContext } from './context.ts'
import { findNetwork } from './find.ts'
import { addressFrom, findAddresses, prefixOf } from './ipam.ts'
import { linkMark } from './link-mark.ts'
import { type Endpoint, hostInterfaceOf, type Network, readEndpoint, subnetOfFamily } from './records.ts'

/** A network that a container is in, and what it holds there. */
export interface Joined {
  network: Network
  endpoint: Endpoint
}

/** The gateway that leads out, by family. */
interface Gateways {
  4?: string
  6?: string
}

/** Leases addresses for all endpoints of a container that have none, and writes them down. */
export function leaseEndpoints(context: NetworkContext, containerId: string): Joined[] {
  const joined = context.endpoints.ofContainer(containerId).map((row) => {
    const endpoint = readEndpoint(row)
    const network = findNetwork(context, endpoint.networkId)
    if (endpoint.interface !== null) return { network, endpoint }
    const lease = findAddresses(context, network, endpoint)
    return { network, endpoint: { ...endpoint, ...lease, interface: `eth${endpoint.position}` } }
  })
  context.endpoints.hold(
    containerId,
    joined.map(({ endpoint }) => endpoint),
  )
  return joined
}

/** A network namespace for a container that is being started; `detachContainer` or `handOver` ends the daemon's hold. */
export async function takeNamespace(context: NetworkContext, containerId: string): Promise<Namespace> {
  const namespace = await context.memory.pool.take()
  context.memory.namespaces.get(containerId)?.close()
  context.memory.namespaces.set(containerId, namespace)
  return namespace
}

/** From now on the container's process holds its namespace, and nobody else does. */
export function handOver({ memory }: NetworkContext, containerId: string): void {
  memory.namespaces.get(containerId)?.close()
  memory.namespaces.delete(containerId)
}

/** Makes the links of a container that is being started. */
export async function connectLinks(
  context: NetworkContext,
  namespace: Namespace,
  joined: readonly Joined[],
): Promise<void> {
  const gateways = defaultGateways(joined.map(({ network }) => network))
  let expectedIndex = namespace.firstLink
  for (const one of joined) {
    await connectLink(context, namespace, one, gateways, expectedIndex)
    expectedIndex = undefined
  }
}

/** Which network leads out, by family: the first that was joined and is not internal. */
export function defaultGateways(networks: readonly Network[]): Gateways {
  const gateways: Gateways = {}
  for (const network of networks.filter(({ isInternal }) => !isInternal)) {
    for (const family of [4, 6] as const) {
      const gateway = subnetOfFamily(network, family)?.gateway
      if (gateway !== undefined) gateways[family] ??= gateway
    }
  }
  return gateways
}

/** One link: a pair, one end at the bridge, the other with its addresses in the container. */
export async function connectLink(
  context: NetworkContext,
  namespace: Namespace,
  { network, endpoint }: Joined,
  gateways: Gateways,
  expectedIndex?: number,
): Promise<void> {
  const { memory } = context
  const name = hostInterfaceOf(endpoint.containerId, network.id)
  const inside = endpoint.interface ?? `eth${endpoint.position}`
  const make = async () => {
    const bridge = await ensureBridge(context, network)
    await memory.routing.send([
      newVeth({
        name,
        peer: inside,
        mtu: bridge.mtu,
        mac: endpoint.mac ?? '',
        bridge: bridge.index,
        namespace: namespace.fd,
      }),
      withoutOwnAddress(name),
      reflectAtBridge(name),
      changeLink(name, { isUp: true, alias: linkMark(context) + endpoint.containerId }),
    ])
  }
  try {
    await make()
  } catch (error) {
    // Somebody deleted the bridge: it is made again. Or a link is left of a life that ended badly.
    if (!isKagoError(error, 'not_found', 'unavailable', 'already_exists')) throw error
    memory.bridges.delete(network.id)
    await memory.routing.send([deleteLink(name)])
    await make()
  }
  await configure(namespace, { network, endpoint }, gateways, expectedIndex)
}

/** The container's end: up, with its addresses and routes; in one go where its number is known. */
async function configure(
  { routing }: Namespace,
  joined: Joined,
  gateways: Gateways,
  expectedIndex: number | undefined,
): Promise<void> {
  const { endpoint } = joined
  const name = endpoint.interface ?? `eth${endpoint.position}`
  const up = [...(endpoint.ipv6 === null ? [withoutOwnAddress(name)] : []), changeLink(name, { isUp: true })]
  if (expectedIndex !== undefined) {
    try {
      await routing.send([...up, ...addressing(expectedIndex, joined, gateways)])
      return
    } catch (error) {
      if (!isKagoError(error, 'not_found')) throw error
    }
  }
  const index = indexOf(name, await routing.send([...up, getLink(name)]))
  await routing.send(addressing(index, joined, gateways))
}

function indexOf(name: string, answers: readonly Answer[]): number {
  const link = answers.find(({ type }) => type === messageTypes.newLink)
  if (link === undefined) throw new KagoError('unavailable', `the link ${name} went again`)
  return readLink(link.body).index
}

function addressing(link: number, { network, endpoint }: Joined, gateways: Gateways): Message[] {
  return ([4, 6] as const).flatMap((family) => {
    const subnet = subnetOfFamily(network, family)
    const held = family === 4 ? endpoint.ipv4 : endpoint.ipv6
    if (subnet === undefined || held === null) return []
    const address = addAddress(link, addressFrom(held), prefixOf(subnet.subnet))
    if (gateways[family] !== subnet.gateway) return [address]
    return [address, addDefaultRoute(link, addressFrom(subnet.gateway))]
  })
}

/** Routes by which a container leaves, after it lost the network that led out. */
export async function renewDefaultRoutes(namespace: Namespace, joined: readonly Joined[]): Promise<void> {
  const gateways = defaultGateways(joined.map(({ network }) => network))
  for (const one of joined) {
    const { network, endpoint } = one
    if (!network.subnets.some(({ gateway }) => gateway === gateways[4] || gateway === gateways[6])) continue
    const answers = await namespace.routing.send([getLink(endpoint.interface ?? '')])
    const link = answers.find(({ type }) => type === messageTypes.newLink)
    if (link !== undefined) await namespace.routing.send(addressing(readLink(link.body).index, one, gateways))
  }
}
