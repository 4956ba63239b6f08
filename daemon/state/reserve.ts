/** A little room on the disk for the day it is full: to record that something ended, and to remove what fills it. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Several hundred records. */
export const reserveBytes = 2 << 20

export interface Reserve {
  /** Gives the room to whoever writes next; false if there is none left to give. */
  release(): boolean
  /** Takes the room again once there is plenty. */
  restore(): void
}

/** For a database that is on no disk. */
export const noReserve: Reserve = { release: () => false, restore: () => {} }

/** Keeps a file beside the database. A disk that has no room for it has none to keep. */
export function keepReserve(path: string): Reserve {
  let isKept = false
  const restore = () => {
    if (isKept) return
    try {
      const { bavail, bsize } = statfsSync(dirname(path))
      const present = statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (present < reserveBytes && bavail * bsize < 2 * reserveBytes) return
      if (present < reserveBytes) allocate(path)
      isKept = true
    } catch {
      // Somebody was quicker: what is half made only takes room.
      rmSync(path, { force: true })
    }
  }
  restore()
  return {
    restore,
    release() {
      if (!isKept) return false
      rmSync(path, { force: true })
      isKept = false
      return true
    },
  }
}

function allocate(path: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, Buffer.alloc(reserveBytes))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
