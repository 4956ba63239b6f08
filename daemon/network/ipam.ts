/** Addresses for endpoints: one that was asked for, the one it had last, or the next that is free. */
import { randomBytes } from 'node:crypto'
import {
  type Address,
  containsAddress,
  type Family,
  formatAddress,
  lastOf,
  parseAddress,
  parseSubnet,
  type Subnet,
} from '../../shared/address.ts'
import { KagoError } from '../../shared/errors.ts'
import type { NetworkContext } from './context.ts'
import { type Endpoint, type Network, subnetOfFamily } from './records.ts'

type AddressContext = Pick<NetworkContext, 'endpoints' | 'containers'> & {
  memory: Pick<NetworkContext['memory'], 'cursors'>
}

export interface Lease {
  ipv4: string | null
  ipv6: string | null
  mac: string
}

/**
 * Finds addresses that nobody holds. They are held only once the caller has written them down, in the same turn.
 * @throws in_use naming the holder; invalid_argument for an address that is not the network's; exhausted.
 */
export function findAddresses(context: AddressContext, network: Network, endpoint: Endpoint): Lease {
  const ipv4 = findAddress(context, network, endpoint, 4)
  const ipv6 = findAddress(context, network, endpoint, 6)
  const mac = endpoint.wantedMac ?? macFor(ipv4)
  const holder = context.endpoints.holderOfMac(network.id, mac)
  if (holder !== undefined && holder.containerId !== endpoint.containerId) {
    throw taken(context, network, `the MAC address ${mac}`, holder.containerId)
  }
  return { ipv4, ipv6, mac }
}

function findAddress(
  context: AddressContext,
  network: Network,
  endpoint: Endpoint,
  family: Family,
): string | null {
  const wanted = family === 4 ? endpoint.wantedIpv4 : endpoint.wantedIpv6
  const last = family === 4 ? endpoint.lastIpv4 : endpoint.lastIpv6
  const config = subnetOfFamily(network, family)
  if (config === undefined) {
    if (wanted === null) return null
    throw new KagoError('invalid_argument', `network ${network.name} has no IPv${family}`, {
      hint:
        family === 6
          ? 'make one that has: kago network create --ipv6 NAME'
          : `ask for no IPv4 address in ${network.name}`,
    })
  }
  const subnet = subnetFrom(config.subnet)
  const isFree = (text: string) => {
    const holder = context.endpoints.holderOf(network.id, text)
    return holder === undefined || holder.containerId === endpoint.containerId
  }
  if (wanted !== null) {
    checkWanted(network, config, wanted)
    const holder = context.endpoints.holderOf(network.id, wanted)
    if (holder === undefined || holder.containerId === endpoint.containerId) return wanted
    throw taken(context, network, wanted, holder.containerId)
  }
  const range = config.ipRange === undefined ? subnet : subnetFrom(config.ipRange)
  if (last !== null && isUsable(subnet, range, config.gateway, last) && isFree(last)) return last
  return nextFree(context, network, { subnet, range, gateway: config.gateway })
}

/** @throws invalid_argument if the address cannot be a container's in that network. */
export function checkWanted(
  network: Pick<Network, 'name'>,
  { subnet: text, gateway }: { subnet: string; gateway: string },
  wanted: string,
): void {
  const subnet = subnetFrom(text)
  const address = parseAddress(wanted)
  const refuse = (why: string) => {
    throw new KagoError('invalid_argument', `${wanted} ${why}`, {
      hint: `choose an address in ${text} of network ${network.name}`,
    })
  }
  if (address === undefined) return refuse('is not an address')
  if (!containsAddress(subnet, address)) return refuse(`is not in ${text}, the subnet of ${network.name}`)
  if (formatAddress(address) === gateway) return refuse(`is the gateway of network ${network.name}`)
  if (!isHost(subnet, address.value)) return refuse(`is the address of the subnet ${text} as a whole`)
}

interface Space {
  subnet: Subnet
  range: Subnet
  gateway: string
}

function nextFree(
  { endpoints, memory }: AddressContext,
  network: Network,
  { subnet, range, gateway }: Space,
): string {
  const { family } = subnet
  const key = `${network.id} ${family}`
  const last = lastOf(range)
  const begin = memory.cursors.get(key) ?? range.first
  let held: Set<string | null> | undefined
  let value = begin
  // Addresses come round as late as they can: who knew an old holder is not to meet a new one.
  do {
    value = value >= last ? range.first : value + 1n
    const text = formatAddress({ family, value })
    if (!isHost(subnet, value) || text === gateway) continue
    if (held === undefined && endpoints.holderOf(network.id, text) !== undefined) {
      held = new Set(endpoints.ofNetwork(network.id).map((row) => (family === 4 ? row.ipv4 : row.ipv6)))
    }
    if (held?.has(text) === true) continue
    memory.cursors.set(key, value)
    return text
  } while (value !== begin)
  throw new KagoError('exhausted', `network ${network.name} has no free IPv${family} address left`, {
    hint: 'stop containers in it, or make a network with a larger --subnet',
  })
}

function isUsable(subnet: Subnet, range: Subnet, gateway: string, text: string): boolean {
  const address = parseAddress(text)
  return (
    address !== undefined &&
    text !== gateway &&
    containsAddress(range, address) &&
    isHost(subnet, address.value)
  )
}

/** Neither the subnet's first address, nor IPv4's broadcast address. */
export function isHost(subnet: Subnet, value: bigint): boolean {
  return value !== subnet.first && !(subnet.family === 4 && value === lastOf(subnet))
}

/** Derived from the IPv4 address: who takes an address over answers for it at once, whatever others remember. */
function macFor(ipv4: string | null): string {
  if (ipv4 === null) return formatMac(Buffer.concat([Buffer.from([2]), randomBytes(5)]))
  return formatMac(Buffer.from([0x02, 0x6b, ...ipv4.split('.').map(Number)]))
}

export function formatMac(bytes: Buffer): string {
  return bytes.toString('hex').replace(/..(?=.)/g, '$&:')
}

function taken(
  { containers }: AddressContext,
  network: Network,
  what: string,
  containerId: string,
): KagoError {
  const holder = containers.find(containerId)
  const who = holder?.name ?? containerId.slice(0, 12)
  return new KagoError('in_use', `${what} in network ${network.name} is held by container ${who}`, {
    hint: `choose another, or stop that one: kago stop ${who}`,
    details: { containerId },
  })
}

/** Of a record: it was checked when the network was made. */
export function subnetFrom(text: string): Subnet {
  const subnet = parseSubnet(text)
  if (subnet === undefined) throw new KagoError('corrupt', `the record of a network has no subnet: ${text}`)
  return subnet
}

/** The same of an address. */
export function addressFrom(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new KagoError('corrupt', `the record of a network has no address: ${text}`)
  return address
}

/** The length of a subnet's prefix. */
export function prefixOf(subnet: string): number {
  return subnetFrom(subnet).prefix
}
