import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ContentStore, openContentStore } from '../../../../daemon/content/store.ts'
import { KagoError } from '../../../../shared/errors.ts'
import { type Digest, digestHex } from '../../../../shared/oci/digest.ts'

let root: string
let store: ContentStore
const bytes = Buffer.from('0123456789'.repeat(20_000))
const digest = digestOf(bytes)
const content = { digest, size: bytes.length }
const partial = () => join(root, 'ingest', digestHex(digest))

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kago-content-'))
  store = openContentStore({ root })
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('ingest', () => {
  it('stores bytes under their digest, and asks nobody for what is there', async () => {
    await store.ingest(content, from(bytes))
    await store.ingest(content, () => {
      throw new Error('asked again')
    })
    expect(await store.has(digest)).toBe(true)
    expect(await store.size(digest)).toBe(bytes.length)
    expect(readFileSync(store.path(digest)).equals(bytes)).toBe(true)
    expect(store.path(digest)).toBe(
      join(root, 'content/sha256', digestHex(digest).slice(0, 2), digestHex(digest)),
    )
    expect(readdirSync(join(root, 'ingest'))).toEqual([])
  })

  it('stores content of no bytes', async () => {
    const empty = digestOf(Buffer.alloc(0))
    await store.ingest({ digest: empty, size: 0 }, from(Buffer.alloc(0)))
    expect(await store.size(empty)).toBe(0)
  })

  it.each([1, 4096, 150_000, bytes.length - 1])('goes on after a failure at byte %i', async (at) => {
    await expect(store.ingest(content, failingAt(at))).rejects.toMatchObject({
      code: 'unavailable',
      message: 'reset',
    })
    expect(await store.has(digest)).toBe(false)
    const offsets: number[] = []
    await store.ingest(content, (offset, signal) => {
      offsets.push(offset)
      return from(bytes)(offset, signal)
    })
    expect(offsets).toEqual([at])
    expect((await store.readVerified(digest, bytes.length)).equals(bytes)).toBe(true)
  })

  it('keeps what came when the source ends early, and says how much', async () => {
    await expect(store.ingest(content, from(bytes.subarray(0, 100)))).rejects.toMatchObject({
      code: 'unavailable',
      message: `${digest} ended after 100 of ${bytes.length} bytes`,
    })
    expect(await store.listPartials()).toEqual([{ digest, bytes: 100 }])
  })

  it('drops damaged partial bytes and fetches all of it again', async () => {
    mkdirSync(join(root, 'ingest'))
    writeFileSync(partial(), Buffer.alloc(500, 'x'))
    const offsets: number[] = []
    await store.ingest(content, (offset, signal) => {
      offsets.push(offset)
      return from(bytes)(offset, signal)
    })
    expect(offsets).toEqual([500, 0])
    expect(readFileSync(store.path(digest)).equals(bytes)).toBe(true)
  })

  it('begins again when the partial is larger than the content', async () => {
    mkdirSync(join(root, 'ingest'))
    writeFileSync(partial(), Buffer.alloc(bytes.length + 1))
    await store.ingest(content, from(bytes))
    expect(await store.has(digest)).toBe(true)
  })

  it('publishes a partial that was whole already', async () => {
    mkdirSync(join(root, 'ingest'))
    writeFileSync(partial(), bytes)
    await store.ingest(content, () => {
      throw new Error('asked')
    })
    expect(await store.has(digest)).toBe(true)
  })

  it('refuses wrong bytes after one more try, and keeps none of them', async () => {
    let tries = 0
    const wrong = Buffer.from(bytes)
    wrong[5] = 0
    const source = (offset: number, signal: AbortSignal) => {
      tries++
      return from(wrong)(offset, signal)
    }
    await expect(store.ingest(content, source)).rejects.toMatchObject({ code: 'corrupt' })
    expect(tries).toBe(2)
    expect(await store.has(digest)).toBe(false)
    expect(readFileSync(partial())).toHaveLength(0)
  })

  it('refuses more bytes than stated, and keeps none of them', async () => {
    await expect(store.ingest({ digest, size: 10 }, from(bytes))).rejects.toMatchObject({
      code: 'corrupt',
      message: `more bytes came for ${digest} than its 10`,
    })
    expect(readFileSync(partial())).toHaveLength(0)
  })

  it('refuses a descriptor that states another size than the content has', async () => {
    await store.ingest(content, from(bytes))
    await expect(store.ingest({ digest, size: 3 }, from(bytes))).rejects.toMatchObject({ code: 'corrupt' })
    expect(await store.has(digest)).toBe(true)
  })

  it('says which folder has too little space, before anything is fetched', async () => {
    const work = store.ingest({ digest, size: 2 ** 52 }, () => {
      throw new Error('asked')
    })
    await expect(work).rejects.toMatchObject({
      code: 'exhausted',
      message: expect.stringContaining(`not enough space in ${join(root, 'ingest')}`),
      details: { needed: 2 ** 52 },
    })
  })

  it('reports progress up to the size, beginning with what was there', async () => {
    await expect(store.ingest(content, failingAt(1000))).rejects.toThrow('reset')
    const seen: number[] = []
    await store.ingest(content, from(bytes), { onProgress: (current) => seen.push(current) })
    expect(seen[0]).toBe(1000)
    expect(seen.at(-1)).toBe(bytes.length)
  })
})

describe('several that want the same content', () => {
  it('cause one download and all hear of it', async () => {
    let asked = 0
    const source = (offset: number, signal: AbortSignal) => {
      asked++
      return from(bytes)(offset, signal)
    }
    const seen: number[][] = [[], [], []]
    await Promise.all(
      seen.map((mine) => store.ingest(content, source, { onProgress: (at) => mine.push(at) })),
    )
    expect(asked).toBe(1)
    for (const mine of seen) expect(mine.at(-1)).toBe(bytes.length)
  })

  it('do not lose it when the first is cancelled', async () => {
    const first = new AbortController()
    const gate = Promise.withResolvers<void>()
    const one = store.ingest(content, gated(gate.promise), { signal: first.signal })
    const two = store.ingest(content, from(bytes))
    first.abort()
    await expect(one).rejects.toMatchObject({ code: 'cancelled' })
    gate.resolve()
    await two
    expect(await store.has(digest)).toBe(true)
  })

  it('go on with the source of the next when that of the first ends with its caller', async () => {
    const first = new AbortController()
    const waiting = Promise.withResolvers<void>()
    // It listens to its caller's own signal instead of the download's.
    const own = async function* (offset: number) {
      yield bytes.subarray(offset, 700)
      await aborted(first.signal, waiting.resolve)
      throw new KagoError('cancelled', 'cancelled')
    }
    const one = store.ingest(content, own, { signal: first.signal })
    const offsets: number[] = []
    const two = store.ingest(content, (offset, signal) => {
      offsets.push(offset)
      return from(bytes)(offset, signal)
    })
    await waiting.promise
    first.abort()
    await expect(one).rejects.toMatchObject({ code: 'cancelled' })
    await two
    expect(offsets).toEqual([700])
    expect(await store.has(digest)).toBe(true)
  })

  it('stop the download when the last is cancelled, which can be taken up again at once', async () => {
    const cancel = new AbortController()
    const waiting = Promise.withResolvers<void>()
    let isStopped = false
    const source = async function* (_offset: number, signal: AbortSignal) {
      yield bytes.subarray(0, 300)
      await aborted(signal, waiting.resolve)
      isStopped = true
      throw new KagoError('cancelled', 'cancelled')
    }
    const one = store.ingest(content, source, { signal: cancel.signal })
    await waiting.promise
    cancel.abort()
    const again = store.ingest(content, (offset, signal) => {
      expect(isStopped).toBe(true)
      expect(offset).toBe(300)
      return from(bytes)(offset, signal)
    })
    await expect(one).rejects.toMatchObject({ code: 'cancelled' })
    await again
    expect(await store.has(digest)).toBe(true)
  })

  it('all fail with the one failure, and the next try is a new download', async () => {
    const works = [store.ingest(content, failingAt(10)), store.ingest(content, failingAt(10))]
    for (const work of await Promise.allSettled(works))
      expect(work).toMatchObject({ reason: { message: 'reset' } })
    await store.ingest(content, from(bytes))
  })

  it('is refused for a signal that is aborted already', async () => {
    const work = store.ingest(content, from(bytes), { signal: AbortSignal.abort() })
    await expect(work).rejects.toMatchObject({ code: 'cancelled' })
    expect(await store.has(digest)).toBe(false)
  })
})

describe('bytes in the store', () => {
  it('are written under the digest they have, twice without harm', async () => {
    expect(await store.write(bytes)).toBe(digest)
    expect(await store.write(bytes)).toBe(digest)
    expect(await store.list()).toEqual([digest])
  })

  it('are read as a stream', async () => {
    await store.write(bytes)
    expect(await text(store.read(digest))).toBe(bytes.toString())
  })

  it('are hashed again when that is asked for', async () => {
    await store.write(bytes)
    await expect(store.readVerified(digest, 10)).rejects.toMatchObject({ code: 'exhausted' })
    writeFileSync(store.path(digest), 'changed')
    await expect(store.readVerified(digest, 100)).rejects.toMatchObject({ code: 'corrupt' })
  })

  it('are missed by name', async () => {
    for (const work of [store.size(digest), store.readVerified(digest, 1), text(store.read(digest))])
      await expect(work).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(digest),
      })
  })

  it('are removed with what is partial, and removing nothing is success', async () => {
    await expect(store.ingest(content, failingAt(10))).rejects.toThrow('reset')
    await store.write(Buffer.from('other'))
    await store.remove(digest)
    await store.remove(digest)
    expect(await store.listPartials()).toEqual([])
    expect(await store.list()).toEqual([digestOf(Buffer.from('other'))])
  })

  it('are listed without what a crash left, which recover removes', async () => {
    await store.write(bytes)
    const left = join(store.path(digest), '..', '.half.tmp')
    writeFileSync(left, 'x')
    expect(await store.list()).toEqual([digest])
    await store.recover()
    expect(existsSync(left)).toBe(false)
    expect(await store.has(digest)).toBe(true)
  })
})

function digestOf(data: Buffer): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}

function from(data: Buffer) {
  return async function* (offset: number, _signal: AbortSignal) {
    for (let at = offset; at < data.length; at += 7000) yield data.subarray(at, at + 7000)
  }
}

function failingAt(at: number) {
  return async function* (offset: number, signal: AbortSignal) {
    yield* from(bytes.subarray(0, at))(offset, signal)
    throw new KagoError('unavailable', 'reset')
  }
}

function gated(gate: Promise<void>) {
  return async function* (offset: number, signal: AbortSignal) {
    yield bytes.subarray(offset, offset + 10)
    await gate
    yield* from(bytes)(offset + 10, signal)
  }
}

/** Tells that it waits, and waits until the signal aborts. */
async function aborted(signal: AbortSignal, tell: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve())
  tell()
  await promise
}
