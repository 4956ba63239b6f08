/** `--cidfile`: the id of a new container, for scripts. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

export interface CidFile {
  write(id: string): void
  /** Removes the file again if no container came of it. */
  close(): void
}

/** Makes the file before the container: two commands that name the same one cannot both go on. */
export function claimCidFile(path: string): CidFile {
  const descriptor = open(path)
  let isWritten = false
  let isOpen = true
  return {
    write(id) {
      if (isWritten) return
      isWritten = true
      writeSync(descriptor, id)
    },
    close() {
      if (!isOpen) return
      isOpen = false
      closeSync(descriptor)
      if (!isWritten) rmSync(path, { force: true })
    },
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'wx', 0o644)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (exists) {
      throw new KagoError('already_exists', `the file ${path} is there already`, {
        hint: 'remove it, or name another one with --cidfile',
        cause: error,
      })
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new KagoError('invalid_argument', `--cidfile: cannot create ${path}: ${reason}`, { cause: error })
  }
}
