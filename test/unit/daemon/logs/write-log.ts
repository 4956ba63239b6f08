/** Writes logs in the shim's form, for tests. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LogChunk, LogStream } from '../../../../daemon/logs/chunk.ts'

export function encodeChunk(timeNs: bigint, stream: LogStream, data: Uint8Array | string): Buffer {
  const bytes = Buffer.from(data)
  const header = Buffer.alloc(16)
  header.writeBigUInt64BE(timeNs, 0)
  header[8] = stream === 'stdout' ? 1 : 2
  header.writeUInt32BE(bytes.length, 12)
  return Buffer.concat([header, bytes])
}

/** Chunks as [time, stream, text], appended to a file of the log. */
export function writeChunks(directory: string, file: string, chunks: [number, LogStream, string][]): void {
  appendFileSync(
    join(directory, file),
    Buffer.concat(chunks.map(([time, stream, text]) => encodeChunk(BigInt(time), stream, text))),
  )
}

export async function collect(chunks: AsyncIterable<LogChunk>): Promise<[number, LogStream, string][]> {
  const list: [number, LogStream, string][] = []
  for await (const { timeNs, stream, data } of chunks)
    list.push([Number(timeNs), stream, Buffer.from(data).toString('latin1')])
  return list
}

export function textOf(chunks: [number, LogStream, string][], stream?: LogStream): string {
  return chunks
    .filter((chunk) => stream === undefined || chunk[1] === stream)
    .map((chunk) => chunk[2])
    .join('')
}
