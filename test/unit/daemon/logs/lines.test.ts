import { describe, expect, it } from 'vitest'
import type { LogChunk, LogStream } from '../../../../daemon/logs/chunk.ts'
import { formatLogTime, splitLines } from '../../../../daemon/logs/lines.ts'

async function* chunks(list: [number, LogStream, string][]): AsyncGenerator<LogChunk> {
  for (const [time, stream, text] of list) yield { timeNs: BigInt(time), stream, data: Buffer.from(text) }
}

async function lines(list: [number, LogStream, string][]): Promise<unknown[]> {
  const out: unknown[] = []
  for await (const { timeNs, stream, data, isComplete } of splitLines(chunks(list)))
    out.push([Number(timeNs), stream, Buffer.from(data).toString(), isComplete])
  return out
}

describe('splitLines', () => {
  it('gives each line the time of its first byte', async () => {
    expect(
      await lines([
        [1, 'stdout', 'a\nb'],
        [2, 'stdout', 'c\n\nd\n'],
      ]),
    ).toEqual([
      [1, 'stdout', 'a', true],
      [1, 'stdout', 'bc', true],
      [2, 'stdout', '', true],
      [2, 'stdout', 'd', true],
    ])
  })

  it('keeps the streams apart', async () => {
    expect(
      await lines([
        [1, 'stdout', 'out'],
        [2, 'stderr', 'err\n'],
        [3, 'stdout', ' put\n'],
      ]),
    ).toEqual([
      [2, 'stderr', 'err', true],
      [1, 'stdout', 'out put', true],
    ])
  })

  it('gives what has no newline at the end', async () => {
    expect(
      await lines([
        [1, 'stderr', 'x'],
        [2, 'stdout', 'y'],
      ]),
    ).toEqual([
      [2, 'stdout', 'y', false],
      [1, 'stderr', 'x', false],
    ])
  })

  it('gives a line too long to hold in pieces', async () => {
    const piece = 'z'.repeat(300 * 1024)
    const out = await lines([
      [1, 'stdout', piece],
      [2, 'stdout', piece],
      [3, 'stdout', 'end\n'],
    ])
    expect(out).toEqual([
      [1, 'stdout', piece + piece, false],
      [3, 'stdout', 'end', true],
    ])
  })
})

describe('formatLogTime', () => {
  it('keeps nanoseconds', () => {
    expect(formatLogTime(1_700_000_000_000_000_007n)).toBe('2023-11-14T22:13:20.000000007Z')
  })
})
