/** Ends what the kernel remembers of connections by a published port: they would go on being led where it led. */
import { changeNetfilter, families, familyHeaderBytes, listNetfilter, subsystems } from '../host/netfilter.ts'
import { attribute, attributesOf } from '../host/netlink.ts'
import { addressBytes } from './firewall-elements.ts'
import type { FirewallPort } from './firewall.ts'

const messages = { get: 1, delete: 2 } as const
const nested = 0x8000
const attributes = { original: 1, reply: 2, filter: 25 } as const
const tuple = { address: 1, protocol: 2 } as const
const address = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const
const protocol = { number: 1, sourcePort: 2, destinationPort: 3 } as const
const filterFlags = { original: 1, reply: 2 } as const
const bySource = { address: 1 << 0, protocol: 1 << 3, port: 1 << 4 } as const
const numbers = { tcp: 6, udp: 17, sctp: 132 } as const

/** Connections of other ports, also of the same container, are left alone. The number of those that were ended. */
export function forgetConnections(port: FirewallPort): number {
  const family = port.containerAddress.includes(':') ? families.ipv6 : families.ipv4
  const found = listNetfilter(subsystems.conntrack, {
    type: messages.get,
    family,
    attributes: [replyTuple(port), replyFilter()],
  })
  // A kernel without conntrack has nothing to forget.
  if (typeof found === 'string') return 0
  let count = 0
  for (const body of found) {
    const parts = attributesOf(body, familyHeaderBytes)
    const original = parts.get(attributes.original)
    const reply = parts.get(attributes.reply)
    if (original === undefined || reply === undefined || !isOf(port, original, reply)) continue
    const failure = changeNetfilter(subsystems.conntrack, {
      type: messages.delete,
      family,
      attributes: [attribute(attributes.original | nested, original)],
    })
    if (failure === undefined) count++
  }
  return count
}

/** The kernel picks those whose answers come from the container's port; before Linux 5.8 it tells of all. */
function replyTuple({ containerAddress, containerPort, protocol: name }: FirewallPort): Buffer {
  const source = containerAddress.includes(':') ? address.source6 : address.source4
  return attribute(attributes.reply | nested, [
    attribute(tuple.address | nested, [attribute(source, addressBytes(containerAddress))]),
    attribute(tuple.protocol | nested, [
      attribute(protocol.number, Buffer.from([numbers[name]])),
      attribute(protocol.sourcePort, portBytes(containerPort)),
    ]),
  ])
}

function replyFilter(): Buffer {
  return attribute(attributes.filter | nested, [
    attribute(filterFlags.original, 0),
    attribute(filterFlags.reply, bySource.address | bySource.protocol | bySource.port),
  ])
}

function isOf(port: FirewallPort, original: Buffer, reply: Buffer): boolean {
  const asked = endOf(original)
  const answering = endOf(reply)
  const isEverywhere = port.hostAddress === '0.0.0.0' || port.hostAddress === '::'
  return (
    asked.number === numbers[port.protocol] &&
    asked.destinationPort === port.hostPort &&
    (isEverywhere || asked.destination === addressBytes(port.hostAddress).toString('hex')) &&
    answering.source === addressBytes(port.containerAddress).toString('hex') &&
    answering.sourcePort === port.containerPort
  )
}

function endOf(bytes: Buffer) {
  const parts = attributesOf(bytes, 0)
  const addresses = attributesOf(parts.get(tuple.address) ?? Buffer.alloc(0), 0)
  const ports = attributesOf(parts.get(tuple.protocol) ?? Buffer.alloc(0), 0)
  const hex = (four: number, six: number) => (addresses.get(four) ?? addresses.get(six))?.toString('hex')
  return {
    source: hex(address.source4, address.source6),
    destination: hex(address.destination4, address.destination6),
    number: ports.get(protocol.number)?.readUInt8(0),
    sourcePort: ports.get(protocol.sourcePort)?.readUInt16BE(0),
    destinationPort: ports.get(protocol.destinationPort)?.readUInt16BE(0),
  }
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(port)
  return bytes
}
