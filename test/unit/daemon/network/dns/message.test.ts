import { decode, encode, type OptAnswer, type Packet, RECURSION_DESIRED } from 'dns-packet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeReply,
  isReplyTo,
  type Query,
  rcodes,
  readQuery,
  withId,
} from '../../../../../daemon/network/dns/message.ts'

const flags = RECURSION_DESIRED

function query(name = 'web', extra: Partial<Packet> = {}): Buffer {
  return encode({ type: 'query', id: 7, flags, questions: [{ name, type: 'A' }], ...extra })
}

function read(bytes: Buffer): Query {
  const result = readQuery(bytes)
  if (result === undefined || !('query' in result)) throw new Error('no query')
  return result.query
}

function rcode(bytes: Buffer): number | undefined {
  const result = readQuery(bytes)
  return result !== undefined && 'reply' in result ? result.reply.readUInt16BE(2) & 0xf : undefined
}

const opt = (version: number, udpPayloadSize = 4096): OptAnswer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize,
  extendedRcode: 0,
  ednsVersion: version,
  flags: 0,
  flag_do: false,
  options: [],
})

describe('a query', () => {
  it('is read with its name in lower case and its question as it was', () => {
    const got = read(query('WeB.Example'))
    expect(got).toMatchObject({ id: 7, name: 'web.example', type: 1, class: 1, udpBytes: 512 })
    expect(Buffer.from(got.question).toString('latin1')).toBe('\x03WeB\x07Example\0\0\x01\0\x01')
  })

  it('may allow larger replies, but not such as are broken into fragments', () => {
    expect(read(query('web', { additionals: [opt(0)] })).udpBytes).toBe(1232)
    expect(read(query('web', { additionals: [opt(0, 800)] })).udpBytes).toBe(800)
    expect(read(query('web', { additionals: [opt(0, 100)] })).udpBytes).toBe(512)
  })

  it('with a dot or a control character in a label has no name that could be meant', () => {
    const bytes = query('a-b')
    for (const byte of [0x2e, 0x00, 0x20, 0xff]) {
      bytes[14] = byte
      expect(read(bytes).name).toBeUndefined()
    }
  })

  it('of an EDNS version to come is told so', () => {
    const result = readQuery(query('web', { additionals: [opt(1)] }))
    const reply = result !== undefined && 'reply' in result ? decode(result.reply) : undefined
    expect(reply?.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1 }])
  })
})

describe('what is no query', () => {
  it('is not answered if it is a reply or shorter than a header', () => {
    expect(
      readQuery(encode({ type: 'response', id: 7, questions: [{ name: 'web', type: 'A' }] })),
    ).toBeUndefined()
    expect(readQuery(Buffer.alloc(11))).toBeUndefined()
  })

  it('is told that it is badly formed', () => {
    const noQuestion = encode({ type: 'query', id: 7 })
    const two = encode({
      type: 'query',
      questions: [
        { name: 'a', type: 'A' },
        { name: 'b', type: 'A' },
      ],
    })
    const loop = Buffer.from('000701000001000000000000c00c00010001', 'hex')
    const promised = query()
    promised.writeUInt16BE(0xffff, 10)
    const cutOff = query().subarray(0, 16)
    const withAnswer = query('web', { answers: [{ type: 'A', name: 'web', data: '1.2.3.4' }] })
    const long = query('web', { additionals: [{ type: 'NULL', name: '.', data: Buffer.alloc(5000) }] })
    for (const bytes of [noQuestion, two, loop, promised, cutOff, withAnswer, long])
      expect(rcode(bytes)).toBe(rcodes.badFormat)
  })

  it('is told if its kind of operation is not known', () => {
    const bytes = query()
    bytes.writeUInt16BE(0x2800, 2)
    expect(rcode(bytes)).toBe(rcodes.notImplemented)
  })

  it('never makes the reader fail, whatever it is', () => {
    const mutated = fc
      .tuple(fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 12 }), fc.nat(80))
      .map(([changes, length]) => {
        const bytes = query('web.example.com', { additionals: [opt(0)] })
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes.subarray(0, Math.max(length, 1))
      })
    const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(mutated, anything), (bytes) => {
        const result = readQuery(bytes)
        if (result !== undefined && 'query' in result) {
          const reply = encodeReply(result.query, { rcode: rcodes.noSuchName }, 512)
          expect(isReplyTo(result.query, result.query.id, reply)).toBe(true)
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a reply', () => {
  const answers = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      type: 'A' as const,
      name: 'wEb',
      ttl: 0,
      data: `10.0.0.${index}`,
    }))

  it('says what was asked, byte for byte, and what is answered', () => {
    const bytes = encodeReply(read(query('wEb')), { rcode: rcodes.ok, answers: answers(2) }, 512)
    expect(decode(bytes)).toMatchObject({
      id: 7,
      type: 'response',
      flag_rd: true,
      flag_ra: true,
      flag_tc: false,
      questions: [{ name: 'wEb', type: 'A' }],
      answers: [{ data: '10.0.0.0' }, { data: '10.0.0.1' }],
      additionals: [],
    })
  })

  it('that would be too long has as many answers as fit, and says that there are more', () => {
    const bytes = encodeReply(read(query('wEb')), { rcode: rcodes.ok, answers: answers(200) }, 512)
    const reply = decode(bytes)
    expect(bytes.length).toBeLessThanOrEqual(512)
    expect(bytes.length).toBeGreaterThan(480)
    expect(reply.flag_tc).toBe(true)
    expect(reply.answers?.length).toBeGreaterThan(20)
  })

  it('is one to the question that was asked, with the id that was sent', () => {
    const asked = read(query('wEb'))
    const reply = encodeReply(read(query('WEB')), { rcode: rcodes.ok, answers: answers(1) }, 512)
    const other = encodeReply(read(query('wex')), { rcode: rcodes.ok }, 512)
    expect(isReplyTo(asked, 7, reply)).toBe(true)
    expect(isReplyTo(asked, 8, reply)).toBe(false)
    expect(isReplyTo(asked, 8, withId(reply, 8))).toBe(true)
    expect(isReplyTo(asked, 7, other)).toBe(false)
    expect(isReplyTo(asked, 7, query('wEb'))).toBe(false)
  })
})
