/** What an entry says of a file beside its content: extended attributes and times, as this file system can hold them. */
import type { BigIntStats } from 'node:fs'
import { errnoCode } from '../host/files.ts'
import { setXattr } from '../host/syscalls.ts'
import { EntryRefused, isXattrKept, showName } from './layer-entry.ts'
import { atPath } from './layer-paths.ts'
import type { TarEntry } from '../../shared/tar/reader.ts'

/** What every file system that knows attributes can hold. */
const maxSafeXattrBytes = 1024

/** Keeps those that are allowed and that this file system and this kind of file can have. */
export function setXattrs(path: string, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) {
    if (!isXattrKept(name)) continue
    try {
      setXattr(atPath(path), name, value)
    } catch (error) {
      // EPERM: the kernel has user.* on files and directories only. A capability must never get lost like that.
      const code = errnoCode(error)
      if (name.startsWith('user.') && (code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'EPERM'))
        continue
      // ext4 says ENOSPC where no block of attributes can hold it, however empty the disk.
      if (code === 'E2BIG' || code === 'ERANGE' || (code === 'ENOSPC' && value.length > maxSafeXattrBytes))
        throw new EntryRefused(`its attribute ${showName(name)} is larger than the file system takes`)
      throw error
    }
  }
}

export function timeOf(found: BigIntStats): TarEntry['mtime'] {
  const seconds = found.mtimeNs / 1_000_000_000n - (found.mtimeNs % 1_000_000_000n < 0n ? 1n : 0n)
  return { seconds: Number(seconds), nanoseconds: Number(found.mtimeNs - seconds * 1_000_000_000n) }
}
