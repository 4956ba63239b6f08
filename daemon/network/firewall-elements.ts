/**
 * Published ports as elements of the firewall's maps, put in and taken out by nfnetlink: what `nft add element` does, at
 * a hundredth of its price.
 */
import { parseAddress, bitsOf } from '../../shared/address.ts'
import { changeTables, families, familyHeaderBytes, listNetfilter, subsystems } from '../host/netfilter.ts'
import { attribute, attributesOf, messageFlags } from '../host/netlink.ts'
import { type FirewallPort, mapOf, type PortMap } from './firewall.ts'

const messages = { getTable: 1, getRule: 7, newElement: 12, deleteElement: 14, getGeneration: 16 } as const
const nested = 0x8000
const tableName = 1
const ruleTable = 1
const generationId = 1
const elementList = { table: 1, set: 2, elements: 3 } as const
const element = { key: 1, data: 2 } as const
const listItem = 1
const dataValue = 1
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const

/** Adds ports, all or none. The name of the error, `ENOENT` when the table is gone. */
export function addElements(table: string, ports: readonly FirewallPort[]): string | undefined {
  return changeTables(
    elementMessages(table, ports, (port) => [
      attribute(element.key | nested, [attribute(dataValue, keyBytes(port))]),
      attribute(element.data | nested, [attribute(dataValue, targetBytes(port))]),
    ]).map((message) => ({ ...message, type: messages.newElement, flags: messageFlags.create })),
  )
}

/** Takes ports out, all or none. */
export function removeElements(table: string, ports: readonly FirewallPort[]): string | undefined {
  return changeTables(
    elementMessages(table, ports, (port) => [
      attribute(element.key | nested, [attribute(dataValue, keyBytes(port))]),
    ]).map((message) => ({ ...message, type: messages.deleteElement })),
  )
}

/** A number that changes with every change of nftables by anybody. */
export function rulesetGeneration(): number | undefined {
  const bodies = listNetfilter(subsystems.nftables, {
    type: messages.getGeneration,
    family: families.unspecified,
    flags: 0,
    attributes: [],
  })
  const body = typeof bodies === 'string' ? undefined : bodies[0]
  return body === undefined
    ? undefined
    : attributesOf(body, familyHeaderBytes).get(generationId)?.readUInt32BE(0)
}

/** How many rules the table has; undefined if it is not there. */
export function countRules(table: string): number | undefined {
  const name = [attribute(tableName, table)]
  const found = listNetfilter(subsystems.nftables, {
    type: messages.getTable,
    family: families.both,
    flags: 0,
    attributes: name,
  })
  if (typeof found === 'string') return undefined
  const rules = listNetfilter(subsystems.nftables, {
    type: messages.getRule,
    family: families.both,
    attributes: [attribute(ruleTable, table)],
  })
  if (typeof rules === 'string') return undefined
  return rules.filter((body) => textIn(attributesOf(body, familyHeaderBytes).get(ruleTable)) === table).length
}

function textIn(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('utf8').replace(/\0.*$/s, '')
}

/** An attribute has room for 65 535 bytes. */
const elementsPerMessage = 500

function elementMessages(
  table: string,
  ports: readonly FirewallPort[],
  encode: (port: FirewallPort) => readonly Buffer[],
): { family: typeof families.both; attributes: Buffer[] }[] {
  const byMap = Map.groupBy(ports, mapOf)
  return [...byMap].flatMap(([map, members]) =>
    chunks(members).map((part) => ({
      family: families.both,
      attributes: listOf(table, map, part.map(encode)),
    })),
  )
}

function listOf(table: string, map: PortMap, elements: readonly (readonly Buffer[])[]): Buffer[] {
  return [
    attribute(elementList.table, table),
    attribute(elementList.set, map),
    attribute(
      elementList.elements | nested,
      elements.map((parts) => attribute(listItem | nested, parts)),
    ),
  ]
}

function chunks<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / elementsPerMessage) }, (_, index) =>
    list.slice(index * elementsPerMessage, (index + 1) * elementsPerMessage),
  )
}

/** Parts of a concatenation begin at multiples of 4 bytes. */
function keyBytes(port: FirewallPort): Buffer {
  const isOfAll = port.hostAddress === '0.0.0.0' || port.hostAddress === '::'
  const tail = Buffer.alloc(8)
  tail.writeUInt8(protocolNumbers[port.protocol], 0)
  tail.writeUInt16BE(port.hostPort, 4)
  return isOfAll ? tail : Buffer.concat([addressBytes(port.hostAddress), tail])
}

function targetBytes({ containerAddress, containerPort }: FirewallPort): Buffer {
  const tail = Buffer.alloc(4)
  tail.writeUInt16BE(containerPort, 0)
  return Buffer.concat([addressBytes(containerAddress), tail])
}

export function addressBytes(text: string): Buffer {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  return Buffer.from(address.value.toString(16).padStart(bitsOf(address.family) / 4, '0'), 'hex')
}
