/**
 * DNS messages (RFC 1035, EDNS by RFC 6891) as bytes: queries are read with suspicion, replies are made.
 * The question is kept and sent back byte for byte: clients compare it, some with letters in random case.
 */
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet } from 'dns-packet'
import { RECURSION_AVAILABLE, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet'

export interface Query {
  id: number
  /** Lower case, without the dot at the end; undefined if a label holds a dot or what is no ASCII. */
  name: string | undefined
  /** As it was asked, for answers. */
  writtenName: string
  type: number
  class: number
  /** The question's bytes: name, type, class. */
  question: Uint8Array
  isRecursive: boolean
  /** What the client says of itself by EDNS. */
  edns: { version: number; isDnssecWanted: boolean } | undefined
  /** The largest reply that the client takes by UDP. */
  udpBytes: number
}

export const recordTypes = { A: 1, PTR: 12, AAAA: 28, ANY: 255 } as const
export const internetClass = 1

/** RFC 1035, 4.1.1, and RFC 6891, 9. */
export const rcodes = {
  ok: 0,
  badFormat: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const
type Rcode = (typeof rcodes)[keyof typeof rcodes]

const headerBytes = 12
/** A query is a name and a few options; what is larger has no business here. */
const maxQueryBytes = 4096
/** What kago takes by UDP: a size that no network breaks into fragments. */
const ownUdpBytes = 1232
const smallestUdpBytes = 512

/**
 * A query, the reply to something that is nearly one, or undefined for what is not to be answered at all: replies
 * (two servers must not talk to each other for ever) and what has no header.
 */
export function readQuery(bytes: Buffer): { query: Query } | { reply: Buffer } | undefined {
  if (bytes.length < headerBytes || (bytes.readUInt16BE(2) & 0x8000) !== 0) return undefined
  const flags = bytes.readUInt16BE(2)
  if (((flags >> 11) & 0xf) !== 0) return { reply: failWithoutQuestion(bytes, rcodes.notImplemented) }
  // The counts are looked at first: the decoder makes room for as many as they promise.
  const isOneQuestion = bytes.readUInt32BE(4) === 0x0001_0000 && bytes.readUInt16BE(8) === 0
  const end = questionEnd(bytes)
  if (!isOneQuestion || bytes.readUInt16BE(10) > 4 || bytes.length > maxQueryBytes || end === undefined)
    return { reply: failWithoutQuestion(bytes, rcodes.badFormat) }
  const packet = decodeOrNothing(bytes)
  if (packet === undefined) return { reply: failWithoutQuestion(bytes, rcodes.badFormat) }
  const options = packet.additionals?.find((record) => record.type === 'OPT')
  const writtenName = packet.questions?.[0]?.name ?? '.'
  const query: Query = {
    id: bytes.readUInt16BE(0),
    name: isPlain(bytes.subarray(headerBytes, end - 4)) ? writtenName.toLowerCase() : undefined,
    writtenName,
    type: bytes.readUInt16BE(end - 4),
    class: bytes.readUInt16BE(end - 2),
    question: bytes.subarray(headerBytes, end),
    isRecursive: (flags & RECURSION_DESIRED) !== 0,
    edns: options && { version: options.ednsVersion, isDnssecWanted: options.flag_do },
    udpBytes: Math.min(Math.max(options?.udpPayloadSize ?? 0, smallestUdpBytes), ownUdpBytes),
  }
  if (options !== undefined && options.ednsVersion !== 0)
    return { reply: encodeReply(query, { rcode: rcodes.badVersion }, smallestUdpBytes) }
  return { query }
}

/** Where the question ends. Nothing stands before it that a compressed name could point at. */
function questionEnd(bytes: Buffer): number | undefined {
  let at = headerBytes
  for (;;) {
    const length = bytes[at]
    if (length === undefined || length > 63) return undefined
    at += length + 1
    if (length === 0) break
  }
  return at - headerBytes <= 255 && at + 4 <= bytes.length ? at + 4 : undefined
}

function decodeOrNothing(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes)
  } catch {
    // Whatever the decoder stumbles on is the same to the sender: a message that is none.
    return undefined
  }
}

/** Whether the name's text says the same as its bytes. */
function isPlain(name: Uint8Array): boolean {
  for (let at = 0; at < name.length; ) {
    const length = name[at] ?? 0
    for (const byte of name.subarray(at + 1, at + 1 + length)) {
      if (byte <= 0x20 || byte === 0x2e || byte >= 0x7f) return false
    }
    at += length + 1
  }
  return true
}

export interface Reply {
  rcode: Rcode
  answers?: readonly Answer[]
  /** kago is who knows, rather than somebody who was asked. */
  isAuthoritative?: boolean
}

/** Fits into `maxBytes`: answers that do not are left out, and the reply says so. */
export function encodeReply(query: Query, reply: Reply, maxBytes: number): Buffer {
  const all = reply.answers ?? []
  const whole = encodeWith(query, reply, all, false)
  if (whole.length <= maxBytes) return whole
  const none = encodeWith(query, reply, [], true)
  let count = Math.floor(((maxBytes - none.length) * all.length) / (whole.length - none.length))
  for (; count > 0; count--) {
    const some = encodeWith(query, reply, all.slice(0, count), true)
    if (some.length <= maxBytes) return some
  }
  return none
}

/** To a question whose answer is too long for UDP: nothing but that there is more to be had by TCP. */
export function encodeCut(query: Query): Buffer {
  return encodeWith(query, { rcode: rcodes.ok }, [], true)
}

function encodeWith(query: Query, reply: Reply, answers: readonly Answer[], isCut: boolean): Buffer {
  const flags =
    (reply.isAuthoritative === true ? AUTHORITATIVE_ANSWER : 0) |
    (isCut ? TRUNCATED_RESPONSE : 0) |
    (query.isRecursive ? RECURSION_DESIRED : 0) |
    RECURSION_AVAILABLE |
    (reply.rcode & 0xf)
  const rest = encode({
    type: 'response',
    id: query.id,
    flags,
    answers: [...answers],
    additionals: query.edns === undefined ? [] : [ownOptions(reply.rcode, query.edns.isDnssecWanted)],
  })
  // Names are written in full by the encoder, so that nothing in the rest depends on where it stands.
  const bytes = Buffer.concat([rest.subarray(0, headerBytes), query.question, rest.subarray(headerBytes)])
  bytes.writeUInt16BE(1, 4)
  return bytes
}

function ownOptions(rcode: Rcode, isDnssecWanted: boolean): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: ownUdpBytes,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: isDnssecWanted ? 0x8000 : 0,
    flag_do: isDnssecWanted,
    options: [],
  }
}

/** To a message whose question cannot be read. */
function failWithoutQuestion(bytes: Buffer, rcode: Rcode): Buffer {
  const reply = Buffer.alloc(headerBytes)
  bytes.copy(reply, 0, 0, 2)
  reply.writeUInt16BE(0x8000 | (bytes.readUInt16BE(2) & 0x7900) | rcode, 2)
  return reply
}

/** The same message with another id. */
export function withId(bytes: Uint8Array, id: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt16BE(id, 0)
  return copy
}

/** Whether `bytes` is a reply with this id to this question. A failure may come without the question. */
export function isReplyTo(query: Query, id: number, bytes: Buffer): boolean {
  if (bytes.length < headerBytes || bytes.readUInt16BE(0) !== id) return false
  if ((bytes.readUInt16BE(2) & 0xf800) !== 0x8000) return false
  if (bytes.readUInt16BE(4) === 0) return rcodeOf(bytes) !== rcodes.ok
  const question = bytes.subarray(headerBytes, headerBytes + query.question.length)
  return bytes.readUInt16BE(4) === 1 && isSameIgnoringCase(question, query.question)
}

export function rcodeOf(reply: Buffer): number {
  return reply.readUInt16BE(2) & 0xf
}

/** A length octet is never a letter: it is at most 63. */
function isSameIgnoringCase(a: Uint8Array, b: Uint8Array): boolean {
  const lower = (byte: number | undefined) =>
    byte !== undefined && byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
  return a.length === b.length && a.every((byte, index) => lower(byte) === lower(b[index]))
}
