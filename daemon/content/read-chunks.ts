/** A file in big pieces, its failures in words. */
import { open } from 'node:fs/promises'
import type { KagoError } from '../../shared/errors.ts'
import { errnoCode, fileError } from '../host/files.ts'

const chunkBytes = 1 << 20

/** A part of a file: from `start` up to, not including, `end`; to where the file ends if that is sooner. */
export interface ByteRange {
  start: number
  end: number
}

/** Each chunk is the reader's own. @param ifMissing the error for a file that is not there */
export async function* readChunks(
  path: string,
  ifMissing: () => KagoError,
  { start, end }: ByteRange = { start: 0, end: Number.POSITIVE_INFINITY },
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw errnoCode(error) === 'ENOENT' ? ifMissing() : fileError(error, `cannot open ${path}`)
  })
  try {
    for (let at = start; at < end; ) {
      const wanted = Math.min(chunkBytes, end - at)
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw fileError(error, `cannot read ${path}`)
  } finally {
    await file.close()
  }
}
