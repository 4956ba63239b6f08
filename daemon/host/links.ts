/** Links, addresses and routes of a network namespace: what there is, and the messages that change it. */
import { type Address, bitsOf, type Family, formatAddress, type Subnet } from '../../shared/address.ts'
import {
  attribute,
  attributesOf,
  type Message,
  messageFlags,
  messageTypes,
  type RouteSocket,
  textOf,
} from './netlink.ts'

const afUnspec = 0
const afInet6 = 10
const upFlag = 1
const nestedFlag = 0x8000
const linkBytes = 16
const addressBytes = 8
const routeBytes = 12
const mainTable = 254

const linkAttributes = {
  address: 1,
  name: 3,
  mtu: 4,
  master: 10,
  kind: 18,
  alias: 20,
  family: 26,
  namespace: 28,
} as const
const kindAttributes = { name: 1, data: 2, masterName: 4, masterData: 5 } as const
const bridgePortReflects = 4
const vethPeer = 1
const bridgeForwardDelay = 1
const addressGenerationMode = 8
const noAddressGeneration = 1
const addressAttributes = { address: 1, local: 2, broadcast: 4, flags: 8 } as const
const noDuplicateDetection = 0x02
const routeAttributes = { destination: 1, outLink: 4, gateway: 5, table: 15 } as const

export interface Link {
  index: number
  name: string
  /** Of the bridge it belongs to; 0 for none. */
  master: number
  mtu: number
  isUp: boolean
  /** `bridge`, `veth`, …; empty for hardware. */
  kind: string
  alias: string
}

export interface LinkAddress {
  link: number
  address: Address
  prefix: number
  /** Whether it is of use beyond the link or the machine. */
  isGlobal: boolean
}

export interface Route {
  subnet: Subnet
  /** The link packets leave by; 0 if it has none or several. */
  link: number
  hasGateway: boolean
  table: number
}

export function listLinks(socket: RouteSocket): Link[] {
  return socket.list(messageTypes.getLink, linkHeader(0)).map(({ body }) => readLink(body))
}

export function readLink(body: Buffer): Link {
  const attributes = attributesOf(body, linkBytes)
  const kind = attributes.get(linkAttributes.kind)
  return {
    index: body.readInt32LE(4),
    isUp: (body.readUInt32LE(8) & upFlag) !== 0,
    name: textOf(attributes.get(linkAttributes.name)),
    master: attributes.get(linkAttributes.master)?.readUInt32LE(0) ?? 0,
    mtu: attributes.get(linkAttributes.mtu)?.readUInt32LE(0) ?? 0,
    kind: kind === undefined ? '' : textOf(attributesOf(kind, 0).get(kindAttributes.name)),
    alias: textOf(attributes.get(linkAttributes.alias)),
  }
}

export function listAddresses(socket: RouteSocket): LinkAddress[] {
  return socket.list(messageTypes.getAddress, Buffer.alloc(addressBytes)).flatMap(({ body }) => {
    const attributes = attributesOf(body, addressBytes)
    const bytes = attributes.get(addressAttributes.local) ?? attributes.get(addressAttributes.address)
    if (bytes === undefined) return []
    return {
      link: body.readUInt32LE(4),
      address: addressFrom(bytes),
      prefix: body.readUInt8(1),
      isGlobal: body.readUInt8(3) === 0,
    }
  })
}

/** Unicast routes of all tables but the kernel's own of local addresses. */
export function listRoutes(socket: RouteSocket): Route[] {
  const unicast = 1
  const local = 255
  return socket.list(messageTypes.getRoute, Buffer.alloc(routeBytes)).flatMap(({ body }) => {
    const attributes = attributesOf(body, routeBytes)
    const table = attributes.get(routeAttributes.table)?.readUInt32LE(0) ?? body.readUInt8(4)
    const family: Family = body.readUInt8(0) === afInet6 ? 6 : 4
    if (body.readUInt8(7) !== unicast || table === local) return []
    const bytes = attributes.get(routeAttributes.destination)
    const first = bytes === undefined ? 0n : addressFrom(bytes).value
    return {
      subnet: { family, first, prefix: body.readUInt8(1) },
      link: attributes.get(routeAttributes.outLink)?.readUInt32LE(0) ?? 0,
      hasGateway: attributes.has(routeAttributes.gateway),
      table,
    }
  })
}

export function newBridge(name: string, { mtu, mac }: { mtu: number; mac: string }): Message {
  return {
    type: messageTypes.newLink,
    flags: messageFlags.create | messageFlags.exclusive,
    what: `make the bridge ${name}`,
    allow: ['EEXIST'],
    body: Buffer.concat([
      linkHeader(0),
      attribute(linkAttributes.name, name),
      attribute(linkAttributes.mtu, mtu),
      attribute(linkAttributes.address, macBytes(mac)),
      attribute(linkAttributes.kind, [
        attribute(kindAttributes.name, 'bridge'),
        attribute(kindAttributes.data | nestedFlag, [attribute(bridgeForwardDelay, 0)]),
      ]),
    ]),
  }
}

export interface VethOptions {
  /** The host's end, and the container's. */
  name: string
  peer: string
  mtu: number
  /** Of the container's end. */
  mac: string
  /** The index of the bridge. */
  bridge: number
  /** An open file of the container's network namespace. */
  namespace: number
}

/** A pair of links, one end at the bridge, the other in a container; both down. */
export function newVeth({ name, peer, mtu, mac, bridge, namespace }: VethOptions): Message {
  const peerParts = [
    linkHeader(0),
    attribute(linkAttributes.name, peer),
    attribute(linkAttributes.mtu, mtu),
    attribute(linkAttributes.address, macBytes(mac)),
    attribute(linkAttributes.namespace, namespace),
  ]
  return {
    type: messageTypes.newLink,
    flags: messageFlags.create | messageFlags.exclusive,
    what: `make the link ${name}`,
    body: Buffer.concat([
      linkHeader(0),
      attribute(linkAttributes.name, name),
      attribute(linkAttributes.mtu, mtu),
      attribute(linkAttributes.master, bridge),
      attribute(linkAttributes.kind, [
        attribute(kindAttributes.name, 'veth'),
        attribute(kindAttributes.data | nestedFlag, [attribute(vethPeer | nestedFlag, peerParts)]),
      ]),
    ]),
  }
}

/** Changes a link, by its name. */
export function changeLink(name: string, change: { isUp?: true; alias?: string; master?: number }): Message {
  return {
    type: messageTypes.newLink,
    what: `change the link ${name}`,
    body: Buffer.concat([
      linkHeader(0, change.isUp),
      attribute(linkAttributes.name, name),
      ...(change.master === undefined ? [] : [attribute(linkAttributes.master, change.master)]),
      ...(change.alias === undefined ? [] : [attribute(linkAttributes.alias, Buffer.from(change.alias))]),
    ]),
  }
}

/** Has a link take no IPv6 address by itself, before it is up. Where there is no IPv6, it takes none anyway. */
export function withoutOwnAddress(name: string): Message {
  const mode = attribute(addressGenerationMode, Buffer.from([noAddressGeneration]))
  return {
    type: messageTypes.setLink,
    what: `change the link ${name}`,
    allow: ['EAFNOSUPPORT'],
    body: Buffer.concat([
      linkHeader(0),
      attribute(linkAttributes.name, name),
      attribute(linkAttributes.family | nestedFlag, [attribute(afInet6 | nestedFlag, [mode])]),
    ]),
  }
}

/**
 * A port of a bridge that sends back to where a packet came from: a container that asks for its own published port
 * needs that where the kernel has bridges look at IP (br_netfilter).
 */
export function reflectAtBridge(name: string): Message {
  return {
    type: messageTypes.newLink,
    what: `change the link ${name}`,
    body: Buffer.concat([
      linkHeader(0),
      attribute(linkAttributes.name, name),
      attribute(linkAttributes.kind, [
        attribute(kindAttributes.masterName, 'bridge'),
        attribute(kindAttributes.masterData | nestedFlag, [attribute(bridgePortReflects, Buffer.from([1]))]),
      ]),
    ]),
  }
}

/** Asks for one link; the answer is for `readLink`. */
export function getLink(name: string): Message {
  return {
    type: messageTypes.getLink,
    what: `find the link ${name}`,
    body: Buffer.concat([linkHeader(0), attribute(linkAttributes.name, name)]),
  }
}

/** Both ends go, if it is a pair. A link that is not there is gone already. */
export function deleteLink(name: string): Message {
  return {
    type: messageTypes.deleteLink,
    what: `delete the link ${name}`,
    allow: ['ENODEV'],
    body: Buffer.concat([linkHeader(0), attribute(linkAttributes.name, name)]),
  }
}

export function addAddress(link: number, address: Address, prefix: number): Message {
  return {
    type: messageTypes.newAddress,
    flags: messageFlags.create | messageFlags.replace,
    what: `give a link the address ${formatAddress(address)}/${prefix}`,
    body: addressBody(link, address, prefix),
  }
}

export function deleteAddress(link: number, address: Address, prefix: number): Message {
  return {
    type: messageTypes.deleteAddress,
    what: `take the address ${formatAddress(address)}/${prefix} from a link`,
    allow: ['EADDRNOTAVAIL'],
    body: addressBody(link, address, prefix),
  }
}

function addressBody(link: number, address: Address, prefix: number): Buffer {
  const header = Buffer.alloc(addressBytes)
  header.writeUInt8(familyNumber(address.family), 0)
  header.writeUInt8(prefix, 1)
  header.writeUInt32LE(link, 4)
  const bytes = bytesOf(address)
  // Nobody else hands out addresses of this network: waiting for an objection would only cost a second.
  return Buffer.concat([
    header,
    attribute(addressAttributes.local, bytes),
    attribute(addressAttributes.address, bytes),
    ...(address.family === 6 ? [attribute(addressAttributes.flags, noDuplicateDetection)] : []),
    ...(address.family === 4 && prefix < 31 ? [broadcast(address, prefix)] : []),
  ])
}

function broadcast({ value }: Address, prefix: number): Buffer {
  const host = (1n << BigInt(32 - prefix)) - 1n
  return attribute(addressAttributes.broadcast, bytesOf({ family: 4, value: value | host }))
}

/** The default route of a family, by a gateway on the link. */
export function addDefaultRoute(link: number, gateway: Address): Message {
  const bootProtocol = 3
  const unicast = 1
  const header = Buffer.alloc(routeBytes)
  header.writeUInt8(familyNumber(gateway.family), 0)
  header.writeUInt8(mainTable, 4)
  header.writeUInt8(bootProtocol, 5)
  header.writeUInt8(unicast, 7)
  return {
    type: messageTypes.newRoute,
    flags: messageFlags.create | messageFlags.replace,
    what: `make ${formatAddress(gateway)} the gateway`,
    body: Buffer.concat([
      header,
      attribute(routeAttributes.gateway, bytesOf(gateway)),
      attribute(routeAttributes.outLink, link),
    ]),
  }
}

function linkHeader(index: number, isUp?: boolean): Buffer {
  const header = Buffer.alloc(linkBytes)
  header.writeUInt8(afUnspec, 0)
  header.writeInt32LE(index, 4)
  if (isUp === true) {
    header.writeUInt32LE(upFlag, 8)
    header.writeUInt32LE(upFlag, 12)
  }
  return header
}

function familyNumber(family: Family): number {
  return family === 6 ? afInet6 : 2
}

function bytesOf({ family, value }: Address): Buffer {
  return Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex')
}

function addressFrom(bytes: Buffer): Address {
  return { family: bytes.length === 16 ? 6 : 4, value: BigInt(`0x${bytes.toString('hex') || '0'}`) }
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}
