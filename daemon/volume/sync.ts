/** Brings what was written in a volume to the disk, before a record says that it is there. */
import { open } from 'node:fs/promises'
import { fileError } from '../host/files.ts'
import { syncFileSystem } from '../host/syscalls.ts'

export async function syncVolume(data: string): Promise<void> {
  try {
    const handle = await open(data)
    try {
      await syncFileSystem(handle.fd)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(error, `cannot write ${data} to the disk`)
  }
}
