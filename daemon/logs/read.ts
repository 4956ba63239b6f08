/** Reads a container's log: all of it, a span of time, its last lines, and what is still to come. */
import { KagoError } from '../../shared/errors.ts'
import { DirectoryChanges } from './changes.ts'
import type { LogChunk, PlacedChunk } from './chunk.ts'
import { readBlock } from './chunk.ts'
import { type LogFile, openLogFiles, openNextLogFile } from './files.ts'
import { type Cuts, findTail, type Position } from './tail.ts'

export interface ReadLogOptions {
  /** Absent means wanted. */
  stdout?: boolean | undefined
  stderr?: boolean | undefined
  /** Nanoseconds since 1970; both ends belong to the span. A chunk has one time: that of its read by the shim. */
  since?: bigint | undefined
  until?: bigint | undefined
  /** Only so many lines from the end of what is wanted; 0 for none of what is there now. */
  tail?: number | undefined
  /** Go on as the log grows. When this fires (the container has ended) what is already written is still delivered. */
  follow?: AbortSignal | undefined
  /** Nobody listens any more: ends at once with `cancelled`. */
  signal?: AbortSignal | undefined
}

/** What of a chunk in the file of that number is to be delivered. */
type Keep = (chunk: PlacedChunk, file: number) => LogChunk | undefined

/** A file's time of change comes from a coarser clock than a chunk's. */
const clockSlackNs = 1_000_000_000n

/**
 * The log's chunks in the order they were written, however often the shim rotates meanwhile. A log that is not there
 * is empty. What cannot be a chunk, such as the rest of one that was cut off, ends its file quietly.
 * The chunks of one read share memory; they may be kept.
 */
export async function* readLog(directory: string, options: ReadLogOptions = {}): AsyncGenerator<LogChunk> {
  const files = await openLogFiles(directory)
  try {
    const isWanted = chunkFilter(options)
    const cuts = options.tail === undefined ? undefined : await findTail(files, options.tail, isWanted)
    const keep: Keep = (chunk, file) => (isWanted(chunk) ? cutChunk(chunk, file, cuts) : undefined)
    const first = cuts && earlier(cuts.stdout, cuts.stderr)
    let end = 0
    for (const [index, file] of files.entries()) {
      const isNewest = index === files.length - 1
      if (!isNewest && (index < (first?.file ?? 0) || isOlder(file, options.since))) continue
      end = first?.file === index ? first.offset : 0
      end = yield* readRest(file, index, end, keep, options.signal)
    }
    if (options.follow) yield* followLog(directory, files, end, keep, options.follow, options)
  } finally {
    for (const file of files) await file.handle.close()
  }
}

async function* readRest(
  file: LogFile,
  index: number,
  offset: number,
  keep: Keep,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogChunk, number> {
  for (let at = offset; ; ) {
    if (signal?.aborted) throw new KagoError('cancelled', 'cancelled')
    const { chunks, next } = await readBlock(file.handle, at)
    if (chunks.length === 0) return at
    for (const chunk of chunks) {
      const kept = keep(chunk, index)
      if (kept) yield kept
    }
    at = next
  }
}

/** Goes on after the newest of `files`; the list holds the open file, so that its owner can close it. */
async function* followLog(
  directory: string,
  files: LogFile[],
  end: number,
  keep: Keep,
  follow: AbortSignal,
  { until, signal }: ReadLogOptions,
): AsyncGenerator<LogChunk> {
  using changes = new DirectoryChanges(directory)
  let index = files.length - 1
  let offset = end
  let isLastRound = false
  for (;;) {
    const file = files.at(-1)
    // asked for before reading: once there is a next file, this one is written to its end
    const next = await openNextLogFile(directory, file)
    if (next) files.push(next)
    if (file) offset = yield* readRest(file, index, offset, keep, signal)
    if (next) {
      for (const old of files.splice(0, files.length - 1)) await old.handle.close()
      index++
      offset = 0
      continue
    }
    if (isLastRound || isPast(until)) return
    isLastRound = follow.aborted
    if (!isLastRound) await changes.next([follow, signal])
    if (signal?.aborted) throw new KagoError('cancelled', 'cancelled')
  }
}

function isOlder(file: LogFile, since: bigint | undefined): boolean {
  return since !== undefined && file.modifiedNs + clockSlackNs < since
}

function isPast(until: bigint | undefined): boolean {
  return until !== undefined && BigInt(Date.now()) * 1_000_000n > until + clockSlackNs
}

function chunkFilter({ stdout, stderr, since, until }: ReadLogOptions): (chunk: LogChunk) => boolean {
  return ({ stream, timeNs }) =>
    (stream === 'stdout' ? stdout : stderr) !== false &&
    (since === undefined || timeNs >= since) &&
    (until === undefined || timeNs <= until)
}

/** The part of a chunk that is not before its stream's cut. */
function cutChunk(chunk: PlacedChunk, file: number, cuts: Cuts | undefined): LogChunk | undefined {
  const { timeNs, stream, data, offset } = chunk
  const cut = cuts?.[stream]
  if (cut === undefined || file > cut.file || (file === cut.file && offset > cut.offset))
    return { timeNs, stream, data }
  if (file < cut.file || offset < cut.offset) return undefined
  return { timeNs, stream, data: data.subarray(cut.byte) }
}

function earlier(a: Position, b: Position): Position {
  return a.file < b.file || (a.file === b.file && a.offset < b.offset) ? a : b
}
