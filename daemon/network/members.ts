/** Which networks a container is in: planned when it is created, and what it may ask of them. */
import { KagoError } from '../../shared/errors.ts'
import type { EndpointRow } from '../state/networks.ts'
import type { NetworkContext } from './context.ts'
import { checkWanted } from './ipam.ts'
import { type Network, subnetOfFamily } from './records.ts'
import { parseAddress, formatAddress } from '../../shared/address.ts'

export interface EndpointOptions {
  aliases?: readonly string[] | undefined
  ipv4Address?: string | undefined
  ipv6Address?: string | undefined
  macAddress?: string | undefined
}

/**
 * The membership as its row, not attached yet.
 * @throws invalid_argument for what the network cannot give.
 */
export function planEndpoint(
  containerId: string,
  network: Network,
  position: number,
  options: EndpointOptions,
): EndpointRow {
  return {
    containerId,
    networkId: network.id,
    position,
    aliases: JSON.stringify([...new Set(options.aliases ?? [])].map(checkAlias)),
    wantedIpv4: wantedAddress(network, 4, options.ipv4Address),
    wantedIpv6: wantedAddress(network, 6, options.ipv6Address),
    wantedMac: options.macAddress === undefined ? null : checkMac(options.macAddress),
    lastIpv4: null,
    lastIpv6: null,
    ipv4: null,
    ipv6: null,
    mac: null,
    interface: null,
  }
}

/** The lowest that no other network of the container has: `eth` and this number are the link's name inside. */
export function freePosition({ endpoints }: NetworkContext, containerId: string): number {
  const used = new Set(endpoints.ofContainer(containerId).map(({ position }) => position))
  let position = 0
  while (used.has(position)) position++
  return position
}

function wantedAddress(network: Network, family: 4 | 6, text: string | undefined): string | null {
  if (text === undefined) return null
  const address = parseAddress(text)
  if (address?.family !== family) {
    throw new KagoError('invalid_argument', `not an IPv${family} address: ${JSON.stringify(text)}`)
  }
  const subnet = subnetOfFamily(network, family)
  if (subnet === undefined) {
    throw new KagoError('invalid_argument', `network ${network.name} has no IPv${family}`, {
      hint: family === 6 ? 'make one that has: kago network create --ipv6 NAME' : undefined,
    })
  }
  const canonical = formatAddress(address)
  checkWanted(network, subnet, canonical)
  return canonical
}

function checkAlias(alias: string): string {
  if (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252})$/.test(alias)) return alias
  throw new KagoError(
    'invalid_argument',
    `not a name for a container in a network: ${JSON.stringify(alias)}`,
    {
      hint: 'it has letters, digits, "_", "." and "-"',
    },
  )
}

/** @throws invalid_argument unless it is one that a single link can have. */
function checkMac(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':')
  const isUnicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) && isUnicast && mac !== '00:00:00:00:00:00') return mac
  throw new KagoError('invalid_argument', `not the MAC address of a link: ${JSON.stringify(text)}`, {
    hint: 'write six pairs of hex digits, the first pair even: 02:00:00:00:00:01',
  })
}
