/** The bridge of a network: made, with the gateway's addresses, when it is needed and is not there. */
import { randomBytes } from 'node:crypto'
import { formatAddress } from '../../shared/address.ts'
import { KagoError } from '../../shared/errors.ts'
import {
  addAddress,
  changeLink,
  deleteAddress,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  newBridge,
  withoutOwnAddress,
} from '../host/links.ts'
import type { Bridge, NetworkContext } from './context.ts'
import { linkMark } from './link-mark.ts'
import { addressFrom, formatMac, prefixOf } from './ipam.ts'
import { openNames } from './name-service.ts'
import { hostInterfaceOf, type Network } from './records.ts'
import { allowForwarding, allowNeighbours, setSysctl } from './sysctls.ts'

/** The network's bridge, up and with its addresses. Known at once when it was asked for before. */
export async function ensureBridge(context: NetworkContext, network: Network): Promise<Bridge> {
  const { bridges } = context.memory
  let bridge = bridges.get(network.id)
  if (bridge === undefined) {
    bridge = makeBridge(context, network)
    bridges.set(network.id, bridge)
    bridge.catch(() => {
      if (bridges.get(network.id) === bridge) bridges.delete(network.id)
    })
  }
  return await bridge
}

async function makeBridge(context: NetworkContext, network: Network): Promise<Bridge> {
  const { memory } = context
  const before = listLinks(memory.routing)
  const there = before.find(({ name }) => name === network.bridge)
  if (there !== undefined && there.kind !== 'bridge') {
    throw new KagoError('in_use', `the interface ${network.bridge} exists and is no bridge`, {
      hint: 'remove it, or name another: "bridge" in the configuration, --opt bridge=NAME for a network',
    })
  }
  if (there !== undefined) refuseOthers(context, there, before)
  const mtu = network.mtu ?? mtuOfDefaultRoute(context, before)
  if (there === undefined) {
    const mac = formatMac(Buffer.concat([Buffer.from([0x02]), randomBytes(5)]))
    await memory.routing.send([newBridge(network.bridge, { mtu, mac })])
  }
  const link = there ?? listLinks(memory.routing).find(({ name }) => name === network.bridge)
  if (link === undefined) throw new KagoError('unavailable', `the bridge ${network.bridge} went again`)
  const hasIpv6 = network.subnets.some(({ subnet }) => subnet.includes(':'))
  allowForwarding(hasIpv6)
  allowNeighbours(hasIpv6)
  await memory.routing.send([
    ...(hasIpv6 ? [] : [withoutOwnAddress(network.bridge)]),
    changeLink(network.bridge, { isUp: true, alias: `${linkMark(context)}network ${network.name}` }),
    ...addressChanges(context, network, link),
    ...strays(context, network, link, before),
  ])
  await admit(context, network)
  return { index: link.index, mtu }
}

/** Its names are answered, and the firewall knows it. */
async function admit({ firewall, nameService, memory }: NetworkContext, network: Network): Promise<void> {
  if (firewall.problem() !== undefined) {
    await openNames(nameService, network, 53)
    return
  }
  // Ports published at 127.0.0.1 lead over the bridge; the firewall keeps others from making use of it.
  setSysctl(`/proc/sys/net/ipv4/conf/${network.bridge}/route_localnet`, '1')
  memory.dnsPorts.set(network.id, await openNames(nameService, network))
  await firewall.refresh()
}

/** A bridge of another kagod's is taken over only when nobody is on it: it may be what is left of one that went. */
function refuseOthers(context: NetworkContext, { name, index, alias }: Link, links: readonly Link[]): void {
  if (!alias.startsWith('kago ') || alias.startsWith(linkMark(context))) return
  if (!links.some(({ master }) => master === index)) return
  throw new KagoError('in_use', `the bridge ${name} is used by containers of another kagod`, {
    hint: 'give this one a bridge of its own: "bridge" in the configuration',
  })
}

/** The gateway's addresses, and none that an older network of the same bridge left. */
function addressChanges({ memory }: NetworkContext, network: Network, link: Link) {
  const wanted = network.subnets.map(({ subnet, gateway }) => ({ subnet, gateway }))
  const stale = listAddresses(memory.routing).filter(
    ({ link: index, address, isGlobal }) =>
      index === link.index && isGlobal && !wanted.some(({ gateway }) => gateway === formatAddress(address)),
  )
  return [
    ...stale.map(({ address, prefix }) => deleteAddress(link.index, address, prefix)),
    ...wanted.map(({ subnet, gateway }) => addAddress(link.index, addressFrom(gateway), prefixOf(subnet))),
  ]
}

/** Links of containers that run: if somebody deleted the bridge, they lost it. */
function strays(context: NetworkContext, network: Network, bridge: Link, links: readonly Link[]) {
  const names = new Set(
    context.endpoints
      .ofNetwork(network.id)
      .filter((endpoint) => endpoint.interface !== null)
      .map(({ containerId }) => hostInterfaceOf(containerId, network.id)),
  )
  return links
    .filter(({ name, master }) => names.has(name) && master !== bridge.index)
    .map(({ name }) => changeLink(name, { master: bridge.index }))
}

/** What leaves this machine in one piece leaves a container in one piece. */
function mtuOfDefaultRoute({ memory }: NetworkContext, links: readonly Link[]): number {
  const route = listRoutes(memory.routing).find(({ subnet, link }) => subnet.prefix === 0 && link !== 0)
  return links.find(({ index }) => index === route?.link)?.mtu ?? 1500
}
