/**
 * A log file's form, as the shim writes it: chunks of a 16-byte header and the bytes of one read.
 * Header: time in ns since 1970 (u64), stream (u8: 1 stdout, 2 stderr), three zero bytes, length (u32); big-endian.
 */
import type { FileHandle } from 'node:fs/promises'

export type LogStream = 'stdout' | 'stderr'

export interface LogChunk {
  timeNs: bigint
  stream: LogStream
  data: Uint8Array
}

/** A chunk and where in its file it begins. */
export interface PlacedChunk extends LogChunk {
  offset: number
}

/** Whole chunks that lie together in a file, and where the next one begins. */
export interface Block {
  chunks: PlacedChunk[]
  next: number
}

const headerBytes = 16
const blockBytes = 256 * 1024
/** The shim writes 64 KiB at most; anything that claims much more is not a chunk. */
const largestChunkBytes = 1024 * 1024

/**
 * The chunks from `offset` on, about 256 KiB of them. None means that there is nothing more to read now: the end of
 * the file, half a chunk that is being written or was cut off, or bytes that are no chunk.
 */
export async function readBlock(file: FileHandle, offset: number): Promise<Block> {
  let bytes = await readAt(file, offset, blockBytes)
  const needed = bytes.length < headerBytes ? 0 : headerBytes + bytes.readUInt32BE(12)
  if (needed > bytes.length && bytes.length === blockBytes && needed <= headerBytes + largestChunkBytes)
    bytes = await readAt(file, offset, needed)
  return parseChunks(bytes, offset)
}

function parseChunks(bytes: Buffer, offset: number): Block {
  const chunks: PlacedChunk[] = []
  let at = 0
  while (at + headerBytes <= bytes.length) {
    const stream = streamOf(bytes.readUInt32BE(at + 8))
    const length = bytes.readUInt32BE(at + 12)
    const end = at + headerBytes + length
    if (stream === undefined || length > largestChunkBytes || end > bytes.length) break
    const data = bytes.subarray(at + headerBytes, end)
    chunks.push({ timeNs: bytes.readBigUInt64BE(at), stream, data, offset: offset + at })
    at = end
  }
  return { chunks, next: offset + at }
}

function streamOf(word: number): LogStream | undefined {
  if (word === 0x01000000) return 'stdout'
  return word === 0x02000000 ? 'stderr' : undefined
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
