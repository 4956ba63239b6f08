/** Where the last lines of a log begin, found from the end without reading more text than they have. */
import type { LogChunk, LogStream, PlacedChunk } from './chunk.ts'
import { readBlock } from './chunk.ts'
import type { LogFile } from './files.ts'

/** A byte of a log: the file's place in the list, the chunk's offset in it, the byte in the chunk. */
export interface Position {
  file: number
  offset: number
  byte: number
}

/** Where to begin with each stream. */
export type Cuts = Record<LogStream, Position>

interface StreamState {
  /** Some line of this stream is wanted and its beginning is not found yet. */
  isOpen: boolean
  hasEnded: boolean
  cut: Position
}

const newline = 10

/**
 * Lines are counted in the order of their ends, whatever stream they are on; text without a newline at the end of a
 * stream is a line too. Only chunks that pass `isWanted` count.
 */
export async function findTail(
  files: readonly LogFile[],
  lines: number,
  isWanted: (chunk: LogChunk) => boolean,
): Promise<Cuts> {
  const last = files.length - 1
  const lastFile = files[last]
  const starts = lastFile ? await blockStarts(lastFile) : { offsets: [], end: 0 }
  const search = new TailSearch(lines, { file: last, offset: starts.end, byte: 0 })
  for (let index = last; index >= 0 && !search.isDone; index--) {
    const file = files[index]
    if (file === undefined) break
    const { offsets } = index === last ? starts : await blockStarts(file)
    for (const offset of offsets.reverse()) {
      if (search.isDone) break
      const { chunks } = await readBlock(file.handle, offset)
      for (const chunk of chunks.reverse()) if (isWanted(chunk)) search.take(index, chunk)
    }
  }
  return search.cuts
}

class TailSearch {
  readonly #streams: Record<LogStream, StreamState>
  #left: number

  constructor(lines: number, end: Position) {
    this.#left = lines
    this.#streams = {
      stdout: { isOpen: false, hasEnded: false, cut: end },
      stderr: { isOpen: false, hasEnded: false, cut: end },
    }
  }

  get isDone(): boolean {
    const { stdout, stderr } = this.#streams
    return this.#left === 0 && !stdout.isOpen && !stderr.isOpen
  }

  get cuts(): Cuts {
    return { stdout: this.#streams.stdout.cut, stderr: this.#streams.stderr.cut }
  }

  /** Chunks come from the last to the first. */
  take(file: number, { stream, offset, data }: PlacedChunk): void {
    const state = this.#streams[stream]
    if (state.hasEnded || data.length === 0) return
    let end = data.length
    if (!state.isOpen) {
      // the end of the stream: with a newline the line that it ends, else what has begun after the last one
      if (data[end - 1] === newline) end--
      this.#count(state)
    }
    while (state.isOpen) {
      const at = end === 0 ? -1 : data.lastIndexOf(newline, end - 1)
      state.cut = { file, offset, byte: at + 1 }
      if (at === -1) return
      end = at
      this.#count(state)
    }
  }

  #count(state: StreamState): void {
    state.isOpen = this.#left > 0
    state.hasEnded = !state.isOpen
    if (state.isOpen) this.#left--
  }
}

/** Offsets at which chunks begin, one for each block, and where the last whole chunk ends. */
async function blockStarts(file: LogFile): Promise<{ offsets: number[]; end: number }> {
  const offsets: number[] = []
  for (let offset = 0; ; ) {
    const { chunks, next } = await readBlock(file.handle, offset)
    if (chunks.length === 0) return { offsets, end: offset }
    offsets.push(offset)
    offset = next
  }
}
