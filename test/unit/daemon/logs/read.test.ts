import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LogStream } from '../../../../daemon/logs/chunk.ts'
import { readLog } from '../../../../daemon/logs/read.ts'
import { collect, encodeChunk, textOf, writeChunks } from './write-log.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-logs-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('readLog', () => {
  it('gives all chunks of all files, oldest first', async () => {
    writeChunks(directory, '2', [[1, 'stdout', 'a']])
    writeChunks(directory, '1', [
      [2, 'stderr', 'b'],
      [3, 'stdout', ''],
    ])
    writeChunks(directory, 'current', [[4, 'stdout', 'c\0\xff']])
    expect(await collect(readLog(directory))).toEqual([
      [1, 'stdout', 'a'],
      [2, 'stderr', 'b'],
      [3, 'stdout', ''],
      [4, 'stdout', 'c\0\xc3\xbf'],
    ])
  })

  it('sorts files by number, not by name', async () => {
    for (let number = 11; number >= 1; number--)
      writeChunks(directory, String(number), [[20 - number, 'stdout', '.']])
    const times = (await collect(readLog(directory))).map(([time]) => time)
    expect(times).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  })

  it('is empty where there is no log', async () => {
    expect(await collect(readLog(join(directory, 'nowhere')))).toEqual([])
    expect(await collect(readLog(directory, { tail: 5 }))).toEqual([])
  })

  it('gives one stream if the other is not wanted', async () => {
    writeChunks(directory, 'current', [
      [1, 'stdout', 'out'],
      [2, 'stderr', 'err'],
    ])
    expect(textOf(await collect(readLog(directory, { stderr: false })))).toBe('out')
    expect(textOf(await collect(readLog(directory, { stdout: false })))).toBe('err')
  })

  it('gives the span asked for, both ends included', async () => {
    writeChunks(directory, '1', [
      [1, 'stdout', 'a'],
      [2, 'stdout', 'b'],
    ])
    writeChunks(directory, 'current', [
      [3, 'stdout', 'c'],
      [4, 'stdout', 'd'],
    ])
    expect(textOf(await collect(readLog(directory, { since: 2n, until: 3n })))).toBe('bc')
  })

  it('stops quietly at half a chunk and at bytes that are none, and goes on with the next file', async () => {
    writeChunks(directory, '2', [[1, 'stdout', 'a']])
    appendFileSync(join(directory, '2'), encodeChunk(2n, 'stdout', 'cut off').subarray(0, 20))
    writeChunks(directory, '1', [[3, 'stdout', 'b']])
    appendFileSync(join(directory, '1'), Buffer.alloc(100, 0xee))
    writeChunks(directory, 'current', [[4, 'stdout', 'c']])
    appendFileSync(join(directory, 'current'), Buffer.alloc(7))
    expect(textOf(await collect(readLog(directory)))).toBe('abc')
    expect(textOf(await collect(readLog(directory, { tail: 1 })))).toBe('abc')
  })

  it('never fails on bytes it did not write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.option(fc.nat(5)), async (bytes, tail) => {
        writeFileSync(join(directory, 'current'), bytes)
        const text = textOf(await collect(readLog(directory, { tail: tail ?? undefined })))
        expect(text.length).toBeLessThan(bytes.length + 1)
      }),
      { numRuns: 60 },
    )
  })

  it('reads chunks larger than its blocks', async () => {
    const large = 'x'.repeat(700_000)
    writeChunks(directory, 'current', [
      [1, 'stdout', 'a'],
      [2, 'stdout', large],
      [3, 'stdout', 'b\n'],
    ])
    expect(textOf(await collect(readLog(directory)))).toBe(`a${large}b\n`)
    expect(textOf(await collect(readLog(directory, { tail: 1 })))).toBe(`a${large}b\n`)
  })
})

describe('the tail', () => {
  it('is the last lines, though they lie in several chunks and files', async () => {
    writeChunks(directory, '1', [
      [1, 'stdout', 'one\ntwo\nthr'],
      [2, 'stdout', 'ee'],
    ])
    writeChunks(directory, 'current', [
      [3, 'stdout', '\nfour\n'],
      [4, 'stdout', 'rest'],
    ])
    const tail = async (lines: number) => textOf(await collect(readLog(directory, { tail: lines })))
    expect(await tail(0)).toBe('')
    expect(await tail(1)).toBe('rest')
    expect(await tail(2)).toBe('four\nrest')
    expect(await tail(3)).toBe('three\nfour\nrest')
    expect(await tail(4)).toBe('two\nthree\nfour\nrest')
    expect(await tail(99)).toBe('one\ntwo\nthree\nfour\nrest')
  })

  it('counts the lines of both streams together, by their ends', async () => {
    writeChunks(directory, 'current', [
      [1, 'stdout', 'out 1\nout '],
      [2, 'stderr', 'err 1\nerr 2\n'],
      [3, 'stdout', '2\n'],
    ])
    const tail = async (lines: number) => {
      const chunks = await collect(readLog(directory, { tail: lines }))
      return [textOf(chunks, 'stdout'), textOf(chunks, 'stderr')]
    }
    expect(await tail(1)).toEqual(['out 2\n', ''])
    expect(await tail(2)).toEqual(['out 2\n', 'err 2\n'])
    expect(await tail(3)).toEqual(['out 2\n', 'err 1\nerr 2\n'])
    expect(await tail(4)).toEqual(['out 1\nout 2\n', 'err 1\nerr 2\n'])
  })

  it('is taken from what the stream and the span leave', async () => {
    writeChunks(directory, 'current', [
      [1, 'stdout', 'a\n'],
      [2, 'stdout', 'b\n'],
      [3, 'stderr', 'x\n'],
      [4, 'stdout', 'c\n'],
    ])
    expect(textOf(await collect(readLog(directory, { tail: 2, stderr: false })))).toBe('b\nc\n')
    expect(textOf(await collect(readLog(directory, { tail: 1, until: 2n })))).toBe('b\n')
  })

  it('equals the last lines of the whole, whatever the chunks', async () => {
    const piece = fc.stringMatching(/^[ab\n]{0,8}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 20 }),
        fc.nat(8),
        fc.nat(20),
        async (pieces, lines, split) => {
          writeFileSync(join(directory, '1'), '')
          writeFileSync(join(directory, 'current'), '')
          pieces.forEach((text, index) =>
            writeChunks(directory, index < split ? '1' : 'current', [[index, 'stdout', text]]),
          )
          const all = pieces.join('').match(/[^\n]*\n|[^\n]+$/g) ?? []
          const expected = lines === 0 ? '' : all.slice(-lines).join('')
          expect(textOf(await collect(readLog(directory, { tail: lines })))).toBe(expected)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('following', () => {
  function rotate(): void {
    rmSync(join(directory, '2'), { force: true })
    try {
      renameSync(join(directory, '1'), join(directory, '2'))
    } catch {
      // the first rotation has nothing older
    }
    renameSync(join(directory, 'current'), join(directory, '1'))
  }

  function startFollowing(tail?: number) {
    const end = new AbortController()
    const got: string[] = []
    let wake: (() => void) | undefined
    const done = (async () => {
      for await (const { data } of readLog(directory, { follow: end.signal, tail })) {
        got.push(Buffer.from(data).toString())
        wake?.()
      }
    })()
    const until = async (text: string) => {
      while (!got.join('').includes(text))
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    return { end, got, done, until }
  }

  it('gives what is there, then what comes, and ends when told, with the rest', async () => {
    writeChunks(directory, 'current', [[1, 'stdout', 'old ']])
    const follower = startFollowing()
    await follower.until('old')
    writeChunks(directory, 'current', [[2, 'stdout', 'new ']])
    await follower.until('new')
    writeChunks(directory, 'current', [[3, 'stdout', 'last']])
    follower.end.abort()
    await follower.done
    expect(follower.got.join('')).toBe('old new last')
  })

  it('waits for the second half of a chunk', async () => {
    const chunk = encodeChunk(1n, 'stdout', 'whole')
    writeFileSync(join(directory, 'current'), chunk.subarray(0, 18))
    const follower = startFollowing()
    appendFileSync(join(directory, 'current'), chunk.subarray(18))
    await follower.until('whole')
    follower.end.abort()
    await follower.done
    expect(follower.got).toEqual(['whole'])
  })

  it('survives rotation and misses nothing', async () => {
    const follower = startFollowing()
    let expected = ''
    for (let i = 0; i < 40; i++) {
      writeChunks(directory, 'current', [[i, 'stdout', `${i},`]])
      expected += `${i},`
      if (i % 5 === 4) {
        await follower.until(`${i},`)
        rotate()
      }
    }
    follower.end.abort()
    await follower.done
    expect(follower.got.join('')).toBe(expected)
  })

  it('goes on with the oldest file if it was too slow for rotation', async () => {
    writeChunks(directory, 'current', [[1, 'stdout', 'first ']])
    const follower = startFollowing()
    await follower.until('first')
    rotate()
    unlinkSync(join(directory, '1'))
    writeChunks(directory, '1', [[2, 'stdout', 'second ']])
    writeChunks(directory, 'current', [[3, 'stdout', 'third']])
    await follower.until('third')
    follower.end.abort()
    await follower.done
    expect(follower.got.join('')).toBe('first second third')
  })

  it('waits for a log that is not there yet', async () => {
    const parent = directory
    directory = join(parent, 'log')
    const follower = startFollowing()
    const { mkdirSync } = await import('node:fs')
    mkdirSync(directory)
    writeChunks(directory, 'current', [[1, 'stdout', 'hello']])
    await follower.until('hello')
    follower.end.abort()
    await follower.done
    directory = parent
    expect(follower.got).toEqual(['hello'])
  })

  it('with a tail of nothing gives only what is new', async () => {
    writeChunks(directory, 'current', [[1, 'stdout', 'old\n']])
    const follower = startFollowing(0)
    const writing = setInterval(() => writeChunks(directory, 'current', [[2, 'stdout', 'new\n']]), 5)
    await follower.until('new')
    clearInterval(writing)
    follower.end.abort()
    await follower.done
    expect(follower.got.join('')).toMatch(/^(new\n)+$/)
  })

  it('ends at once when nobody listens any more', async () => {
    writeChunks(directory, 'current', [[1, 'stdout', 'old']])
    const gone = new AbortController()
    const chunks = readLog(directory, { follow: new AbortController().signal, signal: gone.signal })
    await chunks.next()
    const next = chunks.next()
    gone.abort()
    await expect(next).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('is not disturbed by a log that is cut', async () => {
    writeChunks(directory, 'current', [[1, 'stdout', 'one']])
    appendFileSync(join(directory, 'current'), encodeChunk(2n, 'stdout', 'half').subarray(0, 18))
    const follower = startFollowing()
    await follower.until('one')
    truncateSync(join(directory, 'current'), 19)
    writeChunks(directory, 'current', [[3, 'stderr' satisfies LogStream, 'two']])
    await follower.until('two')
    follower.end.abort()
    await follower.done
    expect(follower.got).toEqual(['one', 'two'])
  })
})
