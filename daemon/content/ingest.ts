/** Brings content in: one download for all who want it, resumable, hashed on the way, visible only when it is verified. */
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { diskSpace, fileError, syncDirectory } from '../host/files.ts'

/** The bytes from `offset` on. `signal` is the download's: it aborts when nobody wants the content any more. */
export type IngestSource = (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>

export interface IngestOptions {
  signal?: AbortSignal | undefined
  /** Bytes that are there so far, counting those of an earlier try. */
  onProgress?: ((current: number) => void) | undefined
}

export interface IngestTarget {
  digest: Digest
  size: number
  partial: string
  /** Makes the folder of the content and answers the content's path. */
  makePlace: (digest: Digest) => Promise<string>
}

interface Waiter {
  source: IngestSource
  onProgress: ((current: number) => void) | undefined
}

/** A download and all who wait for it, the one whose source is used first. */
export interface SharedIngest {
  readonly waiters: Set<Waiter>
  readonly controller: AbortController
  readonly result: Promise<void>
  current: number
}

/** What is written, and hashed, at a time. */
const batchBytes = 1 << 20
/** What must stay free on the disk beside the content itself. */
const reserveBytes = 16 << 20

export async function ingestShared(
  running: Map<Digest, SharedIngest>,
  target: IngestTarget,
  source: IngestSource,
  { signal, onProgress }: IngestOptions,
): Promise<void> {
  if (signal?.aborted) throw cancelled()
  let shared = running.get(target.digest)
  // One that nobody wanted any more is still closing its file.
  while (shared?.controller.signal.aborted) {
    await shared.result.catch(() => undefined)
    shared = running.get(target.digest)
  }
  const waiter: Waiter = { source, onProgress }
  if (shared === undefined) shared = begin(running, target, waiter)
  else {
    shared.waiters.add(waiter)
    onProgress?.(shared.current)
  }
  await waitFor(shared, waiter, signal)
}

function begin(running: Map<Digest, SharedIngest>, target: IngestTarget, first: Waiter): SharedIngest {
  const controller = new AbortController()
  const waiters = new Set([first])
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const shared: SharedIngest = { waiters, controller, result: promise, current: 0 }
  running.set(target.digest, shared)
  promise.catch(() => undefined)
  downloadForAll(target, shared)
    .finally(() => running.delete(target.digest))
    .then(resolve, reject)
  return shared
}

/** Waits for the download, or stops wanting it; the last one to go stops it and waits until its file is closed. */
async function waitFor(shared: SharedIngest, waiter: Waiter, signal: AbortSignal | undefined): Promise<void> {
  const left = Promise.withResolvers<never>()
  const leave = () => {
    shared.waiters.delete(waiter)
    if (shared.waiters.size === 0) shared.controller.abort()
    left.reject(cancelled())
  }
  signal?.addEventListener('abort', leave, { once: true })
  try {
    await Promise.race([shared.result, left.promise])
  } catch (error) {
    if (shared.controller.signal.aborted) await shared.result.catch(() => undefined)
    throw signal?.aborted ? cancelled() : error
  } finally {
    signal?.removeEventListener('abort', leave)
  }
}

/** A source that ends with its own caller is replaced by that of another who still waits. */
async function downloadForAll(target: IngestTarget, shared: SharedIngest): Promise<void> {
  for (;;) {
    const [waiter] = shared.waiters
    if (waiter === undefined || shared.controller.signal.aborted) throw cancelled()
    try {
      return await download(target, shared, waiter.source)
    } catch (error) {
      const isItsOwn = isKagoError(error, 'cancelled') && !shared.waiters.has(waiter)
      if (!isItsOwn || shared.controller.signal.aborted) throw error
    }
  }
}

async function download(target: IngestTarget, shared: SharedIngest, source: IngestSource): Promise<void> {
  let file: FileHandle
  try {
    await mkdir(dirname(target.partial), { recursive: true, mode: 0o700 })
    file = await open(target.partial, 'a+', 0o600)
  } catch (error) {
    throw fileError(error, `cannot write ${target.partial}`)
  }
  try {
    await fill(file, target, shared, source)
    await file.sync()
  } catch (error) {
    throw fileError(error, `cannot store ${target.digest}`)
  } finally {
    await file.close()
  }
  await publish(target)
}

async function publish(target: IngestTarget): Promise<void> {
  try {
    const place = await target.makePlace(target.digest)
    await rename(target.partial, place)
    await syncDirectory(dirname(place))
  } catch (error) {
    throw fileError(error, `cannot store ${target.digest}`)
  }
}

/** Until the file holds the content: what is there is hashed again, the rest fetched; all of it once more if it is wrong. */
async function fill(
  file: FileHandle,
  target: IngestTarget,
  shared: SharedIngest,
  source: IngestSource,
): Promise<void> {
  for (const isLastTry of [false, true]) {
    const hash = createHash('sha256')
    const offset = await hashExisting(file, target, hash, shared.controller.signal)
    await requireSpace(target, offset)
    await append(file, offset, hash, target, shared, source)
    const actual = `sha256:${hash.digest('hex')}`
    if (actual === target.digest) return
    await file.truncate(0)
    if (isLastTry)
      throw new KagoError('corrupt', `the bytes received for ${target.digest} are ${actual}`, {
        hint: 'the registry, a mirror or a proxy changes them; try again, or another mirror',
        details: { digest: target.digest, actual },
      })
  }
}

async function hashExisting(
  file: FileHandle,
  target: IngestTarget,
  hash: Hash,
  signal: AbortSignal,
): Promise<number> {
  const { size } = await file.stat()
  if (size > target.size) {
    await file.truncate(0)
    return 0
  }
  const buffer = Buffer.allocUnsafe(batchBytes)
  let offset = 0
  while (offset < size) {
    if (signal.aborted) throw cancelled()
    const { bytesRead } = await file.read(buffer, 0, batchBytes, offset)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    offset += bytesRead
  }
  return offset
}

async function requireSpace(target: IngestTarget, offset: number): Promise<void> {
  const needed = target.size - offset
  const directory = dirname(target.partial)
  const { freeBytes } = await diskSpace(directory)
  if (needed + Math.min(reserveBytes, needed) <= freeBytes) return
  throw new KagoError(
    'exhausted',
    `not enough space in ${directory}: ${target.digest} needs ${needed} bytes more, ${freeBytes} are free`,
    {
      hint: 'free some: kago rm and kago rmi remove containers and images',
      details: { path: directory, needed, free: freeBytes },
    },
  )
}

/** Fetches from `offset` to the end. What arrived before a failure stays in the file. */
async function append(
  file: FileHandle,
  start: number,
  hash: Hash,
  target: IngestTarget,
  shared: SharedIngest,
  source: IngestSource,
): Promise<void> {
  const { signal } = shared.controller
  let offset = start
  let batch: Uint8Array[] = []
  let batched = 0
  const flush = async () => {
    const chunks = batch
    batch = []
    batched = 0
    if (chunks.length === 0) return
    for (const chunk of chunks) hash.update(chunk)
    await writeAll(file, chunks)
  }
  report(shared, offset)
  if (offset === target.size) return
  try {
    for await (const chunk of source(offset, signal)) {
      if (signal.aborted) throw cancelled()
      if (offset + chunk.length > target.size) {
        batch = []
        await file.truncate(0)
        throw tooMuch(target)
      }
      offset += chunk.length
      batch.push(chunk)
      batched += chunk.length
      report(shared, offset)
      if (batched >= batchBytes) await flush()
    }
  } finally {
    await flush()
  }
  if (signal.aborted) throw cancelled()
  if (offset < target.size)
    throw new KagoError('unavailable', `${target.digest} ended after ${offset} of ${target.size} bytes`, {
      hint: 'try again: it goes on from there',
      details: { digest: target.digest, received: offset, size: target.size },
    })
}

function report(shared: SharedIngest, current: number): void {
  shared.current = current
  for (const waiter of shared.waiters) waiter.onProgress?.(current)
}

function tooMuch(target: IngestTarget): KagoError {
  return new KagoError('corrupt', `more bytes came for ${target.digest} than its ${target.size}`, {
    details: { digest: target.digest, size: target.size },
  })
}

async function writeAll(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const wanted = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const { bytesWritten } = await file.writev(chunks)
  if (bytesWritten === wanted) return
  const all = Buffer.concat(chunks)
  for (let at = bytesWritten; at < wanted; ) at += (await file.write(all, at)).bytesWritten
}

function cancelled(): KagoError {
  return new KagoError('cancelled', 'cancelled')
}
