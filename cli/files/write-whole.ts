/** Writes a stream of bytes to a local file that appears when all of it is there. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

/** What is no plain file (`/dev/null`) is written to as it is. */
export async function writeFileWhole(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const temporary = path.startsWith('/dev/') ? path : `${path}.${process.pid}.new`
  try {
    const descriptor = openSync(temporary, 'w', 0o644)
    try {
      for await (const chunk of chunks) writeAll(descriptor, chunk)
    } finally {
      closeSync(descriptor)
    }
    if (temporary !== path) renameSync(temporary, path)
  } catch (error) {
    if (temporary !== path) rmSync(temporary, { force: true })
    if (error instanceof KagoError) throw error
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOSPC') throw new KagoError('exhausted', `no space left for ${path}`, { cause: error })
    throw new KagoError('permission_denied', `cannot write ${path}`, { cause: error })
  }
}

function writeAll(descriptor: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at)
}
