/** A file in big pieces, its failures in words. */
import { open } from 'node:fs/promises'
import type { KagoError } from '../../shared/errors.ts'
import { errnoCode, fileError } from '../host/files.ts'

const chunkBytes = 1 << 20

/** Each chunk is the reader's own. @param ifMissing the error for a file that is not there */
export async function* readChunks(
  path: string,
  ifMissing: () => KagoError,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw errnoCode(error) === 'ENOENT' ? ifMissing() : fileError(error, `cannot open ${path}`)
  })
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw fileError(error, `cannot read ${path}`)
  } finally {
    await file.close()
  }
}
