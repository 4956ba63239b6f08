/** A log's chunks as lines, each stream's kept apart. */
import type { LogChunk, LogStream } from './chunk.ts'

export interface LogLine {
  /** When its first byte was read. */
  timeNs: bigint
  stream: LogStream
  /** Without the newline. */
  data: Uint8Array
  /** False for text that has no newline: the end of a stream, or a piece of a line that is too long to hold. */
  isComplete: boolean
}

const newline = 10
/** So that a line and what is put before it fit into a frame. */
const longestLineBytes = 512 * 1024

interface Rest {
  timeNs: bigint
  pieces: Uint8Array[]
  bytes: number
}

/** Lines come when they are complete; what is left without a newline comes at the end. */
export async function* splitLines(chunks: AsyncIterable<LogChunk>): AsyncGenerator<LogLine> {
  const rests: Partial<Record<LogStream, Rest>> = {}
  for await (const { timeNs, stream, data } of chunks) {
    let start = 0
    for (let at = data.indexOf(newline); at !== -1; at = data.indexOf(newline, start)) {
      yield lineOf(stream, addTo(rests[stream], timeNs, data.subarray(start, at)), true)
      delete rests[stream]
      start = at + 1
    }
    if (start === data.length) continue
    const rest = addTo(rests[stream], timeNs, data.subarray(start))
    if (rest.bytes < longestLineBytes) rests[stream] = rest
    else {
      yield lineOf(stream, rest, false)
      delete rests[stream]
    }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const rest = rests[stream]
    if (rest) yield lineOf(stream, rest, false)
  }
}

/** A line's time as people and Docker write it: RFC 3339 with nanoseconds, UTC. */
export function formatLogTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`
}

function addTo(rest: Rest | undefined, timeNs: bigint, piece: Uint8Array): Rest {
  if (rest === undefined) return { timeNs, pieces: [piece], bytes: piece.length }
  rest.pieces.push(piece)
  rest.bytes += piece.length
  return rest
}

function lineOf(stream: LogStream, { timeNs, pieces }: Rest, isComplete: boolean): LogLine {
  const [only, ...more] = pieces
  const data = only !== undefined && more.length === 0 ? only : Buffer.concat(pieces)
  return { timeNs, stream, data, isComplete }
}
