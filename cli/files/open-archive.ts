/** Opens what is to be uploaded: a file, or stdin where that is no terminal. */
import { createReadStream, type ReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { KagoError } from '../../shared/errors.ts'
import { isTerminal } from '../terminal/tty.ts'

/** @param hint what to type instead, when stdin is a terminal */
export async function openArchive(
  path: string | undefined,
  hint: string,
): Promise<ReadStream | NodeJS.ReadStream> {
  if (path === undefined) {
    if (!isTerminal(0)) return process.stdin
    throw new KagoError('invalid_argument', 'stdin is a terminal, not an archive', { hint })
  }
  try {
    const handle = await open(path)
    return createReadStream(path, { fd: handle, highWaterMark: 1024 * 1024 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') throw new KagoError('not_found', `there is no file ${path}`, { cause: error })
    throw new KagoError('permission_denied', `cannot read ${path}`, { cause: error })
  }
}
