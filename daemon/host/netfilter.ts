/**
 * nfnetlink: nftables and conntrack, asked and changed by messages over a socket, without a program in between.
 *
 * A message is that of netlink.ts with a structure of its own (family, version, number) and attributes, whose numbers
 * are in the order of the network. Everything here is done when the call returns; the kernel needs microseconds.
 */
import { closeSync } from 'node:fs'
import { messageFlags } from './netlink.ts'
import { errnoName, openNetfilterSocket, receiveBytes, receiveBytesNow, sendBytesNow } from './syscalls.ts'

export const subsystems = { conntrack: 1, nftables: 10 } as const
export type Subsystem = (typeof subsystems)[keyof typeof subsystems]

/** Families of protocols; nftables has one for IPv4 and IPv6 together. */
export const families = { unspecified: 0, both: 1, ipv4: 2, ipv6: 10 } as const
export type FamilyNumber = (typeof families)[keyof typeof families]

export interface NetfilterMessage {
  /** Of the subsystem. */
  type: number
  family: FamilyNumber
  flags?: number
  attributes: readonly Buffer[]
}

const requestFlag = 1
const acknowledgeFlag = 4
const errorType = 2
const doneType = 3
const batchBegin = 16
const batchEnd = 17
const headerBytes = 16
/** What comes before the attributes of an answer. */
export const familyHeaderBytes = 4

/** Changes nftables: all messages or none of them. The name of the error that none were for (`ENOENT`). */
export function changeTables(messages: readonly NetfilterMessage[]): string | undefined {
  const { nftables } = subsystems
  const bytes = [
    encode(batchBegin, 0, 1, families.unspecified, nftables, []),
    ...messages.map(({ type, family, flags = 0, attributes }, index) =>
      encode((nftables << 8) | type, flags | acknowledgeFlag, index + 2, family, 0, attributes),
    ),
    encode(batchEnd, 0, messages.length + 2, families.unspecified, nftables, []),
  ]
  return withSocket((fd) => {
    sendBytesNow(fd, Buffer.concat(bytes))
    // All answers are there when the message is sent.
    const buffer = Buffer.alloc(answerBytes)
    let failure: string | undefined
    for (;;) {
      const length = receiveBytesNow(fd, buffer)
      if (length === undefined) return failure
      for (const { type, body } of decode(buffer, length)) {
        const errno = type === errorType ? -body.readInt32LE(0) : 0
        if (errno !== 0) failure ??= errnoName(errno)
      }
    }
  })
}

/** Everything of a kind, as the bodies of messages; the error's name if it cannot be told. */
export function listNetfilter(
  subsystem: Subsystem,
  { type, family, attributes, flags = messageFlags.dump }: NetfilterMessage,
): Buffer[] | string {
  return withSocket((fd) => {
    const isOne = (flags & messageFlags.dump) === 0
    sendBytesNow(fd, encode((subsystem << 8) | type, flags, 1, family, 0, attributes))
    const buffer = Buffer.alloc(answerBytes)
    const bodies: Buffer[] = []
    for (;;) {
      for (const answer of decode(buffer, receiveBytes(fd, buffer))) {
        if (answer.type === doneType) return bodies
        if (answer.type === errorType) return errnoName(-answer.body.readInt32LE(0))
        bodies.push(Buffer.from(answer.body))
        if (isOne) return bodies
      }
    }
  })
}

/** One change outside nftables. The error's name, if it failed. */
export function changeNetfilter(
  subsystem: Subsystem,
  { type, family, attributes, flags = 0 }: NetfilterMessage,
): string | undefined {
  return withSocket((fd) => {
    sendBytesNow(fd, encode((subsystem << 8) | type, flags | acknowledgeFlag, 1, family, 0, attributes))
    const buffer = Buffer.alloc(answerBytes)
    for (const answer of decode(buffer, receiveBytes(fd, buffer))) {
      if (answer.type !== errorType) continue
      const errno = -answer.body.readInt32LE(0)
      return errno === 0 ? undefined : errnoName(errno)
    }
    return undefined
  })
}

const answerBytes = 64 * 1024

function withSocket<T>(work: (fd: number) => T): T {
  const fd = openNetfilterSocket()
  try {
    return work(fd)
  } finally {
    closeSync(fd)
  }
}

function encode(
  type: number,
  flags: number,
  sequence: number,
  family: FamilyNumber,
  resource: number,
  attributes: readonly Buffer[],
): Buffer {
  const header = Buffer.alloc(headerBytes + familyHeaderBytes)
  const body = Buffer.concat(attributes)
  header.writeUInt32LE(header.length + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags | requestFlag, 6)
  header.writeUInt32LE(sequence, 8)
  header.writeUInt8(family, headerBytes)
  header.writeUInt16BE(resource, headerBytes + 2)
  return Buffer.concat([header, body])
}

function* decode(buffer: Buffer, length: number): Generator<{ type: number; body: Buffer }> {
  for (let at = 0; at + headerBytes <= length; ) {
    const size = buffer.readUInt32LE(at)
    if (size < headerBytes) return
    yield { type: buffer.readUInt16LE(at + 4), body: buffer.subarray(at + headerBytes, at + size) }
    at += (size + 3) & ~3
  }
}
