/** Turns a layer's bytes into its tar archive: gzip, zstd or plain, told by the first bytes as every engine does. */
import type { Duplex } from 'node:stream'
import { createGunzip, createZstdDecompress, constants } from 'node:zlib'
import type { Compression } from '../../shared/oci/media-types.ts'

/** The largest zstd window, as a power of two: 128 MiB, what the format asks every decoder to manage. */
const windowLogMax = 27
const chunkSize = 1 << 20

export function detectCompression(start: Buffer): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  const magic = start.length < 4 ? 0 : start.readUInt32LE(0)
  // A zstd stream may begin with a skippable frame (RFC 8878, 3.1.2), as those of pzstd and zstd:chunked do.
  if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd'
  return 'none'
}

/**
 * All frames or members, one after the other. What follows the last gzip member and is no member is an error, as is a stream
 * that stops early: the errors are zlib's, with a `code` that begins with `Z_` or `ZSTD_` (or `ERR_`).
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const chunks = source[Symbol.asyncIterator]()
  const first = await chunks.next()
  if (first.done) return
  const rest = (async function* () {
    yield first.value
    yield* { [Symbol.asyncIterator]: () => chunks }
  })()
  switch (detectCompression(first.value)) {
    case 'none':
      return yield* rest
    case 'gzip':
      return yield* throughGunzip(rest)
    case 'zstd':
      return yield* throughZstd(rest)
  }
}

async function* throughGunzip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const stream = kept(createGunzip({ chunkSize }))
  try {
    for await (const chunk of source) yield* step(stream, chunk)
    yield* step(stream, undefined)
  } finally {
    stream.destroy()
  }
}

/**
 * Node's decoder may stop at the end of a frame, and tells by `bytesWritten` how far it came: a new one begins there.
 */
async function* throughZstd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let stream = newZstd()
  try {
    for await (const chunk of source) {
      let rest = chunk
      while (rest.length > 0) {
        const before = stream.bytesWritten
        yield* step(stream, rest)
        const taken = stream.bytesWritten - before
        rest = rest.subarray(taken)
        if (rest.length === 0) break
        stream.destroy()
        stream = newZstd()
      }
    }
    if (stream.bytesWritten > 0) yield* step(stream, undefined)
  } finally {
    stream.destroy()
  }
}

function newZstd() {
  return kept(createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: windowLogMax } }))
}

/** An error between two steps is the next step's to throw (`errored`), not the process's to die of. */
function kept<T extends Duplex>(stream: T): T {
  return stream.on('error', () => undefined)
}

/** Gives a decoder one chunk, or the end, and hands on all it makes of it, however much that is, piece by piece. */
async function* step(stream: Duplex, chunk: Buffer | undefined): AsyncGenerator<Buffer, void, undefined> {
  let isDone = false
  let failure: Error | undefined
  let wake = () => {}
  const done = () => {
    isDone = true
    wake()
  }
  const woken = () => wake()
  const failed = (error: Error) => {
    failure = error
    wake()
  }
  stream.on('readable', woken).on('error', failed)
  if (chunk === undefined) stream.on('end', done).end()
  else stream.write(chunk, done)
  try {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      for (let part: Buffer | null = stream.read(); part !== null; part = stream.read()) yield part
      const error = failure ?? stream.errored
      if (error) throw error
      if (isDone && stream.readableLength === 0) return
      await promise
    }
  } finally {
    stream.off('readable', woken).off('error', failed).off('end', done)
  }
}
