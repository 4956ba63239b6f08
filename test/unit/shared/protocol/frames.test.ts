import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KagoError } from '../../../../shared/errors.ts'
import type { Frame, FrameType } from '../../../../shared/protocol/frames.ts'
import {
  encodeAttach,
  encodeClose,
  encodeError,
  encodeExit,
  encodeFrame,
  encodeFrameHeader,
  encodeResize,
  encodeSignal,
  encodeStarted,
  FrameParser,
  frameTypes,
  maxFramePayloadBytes,
  parseError,
  parseExit,
  parseResize,
  parseSignal,
  parseStarted,
} from '../../../../shared/protocol/frames.ts'

const types = Object.values(frameTypes)

const frame = fc.record({
  type: fc.constantFrom<FrameType>(...types),
  payload: fc.uint8Array({ maxLength: 300 }),
})

function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = 0
  for (const length of lengths) {
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return [...pieces, bytes.subarray(at)]
}

function join(frames: Frame[]): Uint8Array {
  return Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)))
}

function payloadOf(encoded: Uint8Array): Uint8Array {
  const [only] = new FrameParser().push(encoded)
  if (!only) throw new Error('no frame')
  return only.payload
}

describe('a frame', () => {
  it('has a type, three zero bytes, a big-endian length and the payload', () => {
    expect([...encodeFrame(frameTypes.stderr, Uint8Array.of(7, 8))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 7, 8])
    expect([...encodeFrameHeader(frameTypes.stdout, 0x01_02_03)]).toEqual([1, 0, 0, 0, 0, 1, 2, 3])
  })

  it('of more than a mebibyte is not made', () => {
    expect(() => encodeFrame(frameTypes.stdin, new Uint8Array(maxFramePayloadBytes + 1))).toThrow(KagoError)
  })

  it('comes out as it went in, wherever the connection cuts it', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(60)), (frames, lengths) => {
        const parser = new FrameParser()
        const out = cut(join(frames), lengths).flatMap((piece) => parser.push(piece))
        expect(out.map(({ type, payload }) => [type, [...payload]])).toEqual(
          frames.map(({ type, payload }) => [type, [...payload]]),
        )
        expect(parser.isBetweenFrames).toBe(true)
      }),
    )
  })

  it('comes out whole when every byte comes alone', () => {
    const bytes = join([
      { type: frameTypes.stdin, payload: Buffer.from('hello') },
      { type: frameTypes.close, payload: new Uint8Array() },
    ])
    const parser = new FrameParser()
    const out = [...bytes].flatMap((byte) => parser.push(Uint8Array.of(byte)))
    expect(out.map(({ type, payload }) => [type, Buffer.from(payload).toString()])).toEqual([
      [frameTypes.stdin, 'hello'],
      [frameTypes.close, ''],
    ])
  })

  it('in pieces carries the same bytes of each stream, without waiting for the whole', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(60)), (frames, lengths) => {
        const parser = new FrameParser({ pieces: true })
        const out = cut(join(frames), lengths).flatMap((piece) => parser.push(piece))
        for (const type of [frameTypes.stdin, frameTypes.stdout, frameTypes.stderr]) {
          const bytes = (list: Frame[]) =>
            Buffer.concat(list.filter((one) => one.type === type).map((one) => one.payload))
          expect(bytes(out).equals(bytes(frames))).toBe(true)
        }
        const rest = (list: Frame[]) =>
          list.filter((one) => one.type > 2).map((one) => [one.type, [...one.payload]])
        expect(rest(out)).toEqual(rest(frames))
      }),
    )
    const parser = new FrameParser({ pieces: true })
    const [piece] = parser.push(encodeFrame(frameTypes.stdout, Buffer.from('abcdef')).subarray(0, 11))
    expect(Buffer.from(piece?.payload ?? []).toString()).toBe('abc')
  })

  it('is not copied when it lies in one chunk', () => {
    const chunk = encodeFrame(frameTypes.stdout, new Uint8Array(1000))
    expect(payloadOf(chunk).buffer).toBe(chunk.buffer)
  })

  it.each([
    ['an unknown type', [11, 0, 0, 0, 0, 0, 0, 0]],
    ['the type 255', [255, 0, 0, 0, 0, 0, 0, 0]],
    ['a byte set that must be zero', [1, 0, 1, 0, 0, 0, 0, 0]],
    ['one byte more than a mebibyte', [1, 0, 0, 0, 0, 0x10, 0, 1]],
    ['four gigabytes', [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
  ])('with %s is a protocol error', (_, header) => {
    expect(() => new FrameParser().push(Uint8Array.from(header))).toThrow(/^protocol error: /)
  })

  it('of exactly a mebibyte passes', () => {
    expect(payloadOf(encodeFrame(frameTypes.stdout, new Uint8Array(maxFramePayloadBytes)))).toHaveLength(
      maxFramePayloadBytes,
    )
  })
})

describe('what frames say', () => {
  it('is read back as it was written', () => {
    expect(parseResize(payloadOf(encodeResize({ columns: 213, rows: 57 })))).toEqual({
      columns: 213,
      rows: 57,
    })
    expect(parseSignal(payloadOf(encodeSignal('SIGTERM')))).toBe('TERM')
    expect(parseSignal(payloadOf(encodeSignal('RTMIN+3')))).toBe('RTMIN+3')
    expect(parseStarted(payloadOf(encodeStarted({ pid: 12, startTime: 99 })))).toEqual({
      pid: 12,
      startTime: 99,
    })
    const exit = { status: 137, signal: 9, exitedAt: '2026-01-02T03:04:05.678Z' }
    expect(parseExit(payloadOf(encodeExit(exit)))).toEqual(exit)
    expect([...payloadOf(encodeAttach({ output: true, stdin: false }))]).toEqual([1])
    expect([...payloadOf(encodeAttach({ output: true, stdin: true }))]).toEqual([3])
    expect(payloadOf(encodeClose())).toHaveLength(0)
    const body = {
      code: 'in_use',
      message: 'volume data is in use',
      hint: 'stop web',
      details: { by: 'web' },
    } as const
    expect(parseError(payloadOf(encodeError(body))).toBody()).toEqual(body)
  })

  it('keeps a terminal size within sixteen bits', () => {
    expect(parseResize(payloadOf(encodeResize({ columns: 1e9, rows: -4 })))).toEqual({
      columns: 65535,
      rows: 0,
    })
  })

  it('is refused where it is not what it should be', () => {
    const text = (value: string) => Buffer.from(value)
    expect(() => parseResize(text('abc'))).toThrow(/protocol error/)
    expect(() => parseSignal(text('rm -rf /'))).toThrow(/protocol error/)
    expect(() => parseSignal(text(''))).toThrow(/protocol error/)
    expect(() => parseExit(text('{"status":-1,"signal":null,"exitedAt":"x"}'))).toThrow(/protocol error/)
    expect(() => parseExit(text('[]'))).toThrow(/protocol error/)
    expect(() => parseExit(text('{'))).toThrow(/protocol error/)
    expect(() => parseStarted(text('{"pid":"1","startTime":2}'))).toThrow(/protocol error/)
    expect(() => parseError(text('{"code":"in_use"}'))).toThrow(/protocol error/)
  })

  it('turns an error code of the future into an internal error', () => {
    expect(parseError(Buffer.from('{"code":"melted","message":"too hot"}'))).toMatchObject({
      code: 'internal',
      message: 'too hot',
    })
  })
})
