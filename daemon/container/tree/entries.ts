/** Writes names of the file system as entries of a tar archive. */
import * as fs from 'node:fs'
import { endOfArchive, paddingOf, type TarHeader, writeHeader } from '../../../shared/tar/writer.ts'
import { errnoCode } from '../../host/files.ts'
import { getXattr, hasXattrs, listXattrs } from '../../host/syscalls.ts'
import { isXattrKept } from '../../image/layer-entry.ts'
import type { Output } from './output.ts'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants
const openFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

export class EntryWriter {
  readonly #output: Output
  /** Files with several names: device and inode → the name that has the content. */
  readonly #links = new Map<string, string>()

  constructor(output: Output) {
    this.#output = output
  }

  /**
   * One entry. `at` is the name for system calls, `name` the archive's (latin1, no slash at the end). What has gone meanwhile
   * and sockets, which no archive can hold, are left out.
   */
  add(at: string | Buffer, name: string, stats: fs.Stats): void {
    if (stats.isSocket()) return
    if (stats.isFile()) return this.addFile(at, name)
    const header = this.#headerOf(at, stats)
    if (stats.isDirectory()) return this.#output.write(writeHeader({ ...header, name: `${name}/` }))
    if (stats.isSymbolicLink()) {
      const linkName = fs.readlinkSync(at, 'latin1')
      return this.#output.write(writeHeader({ ...header, name, type: 'symlink', linkName }))
    }
    const isFifo = stats.isFIFO()
    const type = isFifo ? 'fifo' : stats.isBlockDevice() ? 'block-device' : 'character-device'
    const { major, minor } = isFifo ? { major: 0, minor: 0 } : splitDevice(BigInt(stats.rdev))
    this.#output.write(writeHeader({ ...header, name, type, major, minor }))
  }

  /** An empty file of that name: the mark of a whiteout. */
  addMark(name: string): void {
    const nobody = { mode: 0, uid: 0, gid: 0, size: 0, mtimeSeconds: 0, major: 0, minor: 0 }
    this.#output.write(writeHeader({ ...nobody, name, type: 'file' }))
  }

  end(): void {
    this.#output.write(endOfArchive)
    this.#output.flush()
  }

  /** The same for what was a plain file when it was listed: it is opened first and judged then. */
  addFile(at: string | Buffer, name: string): void {
    const fd = openUnlessGone(at)
    if (fd === undefined) return
    try {
      const stats = fs.fstatSync(fd)
      if (!stats.isFile()) return
      const header = { ...this.#headerOf(hasXattrs(fd) ? at : undefined, stats), name }
      const linkName = stats.nlink > 1 ? this.#linkOf(fd, name) : undefined
      if (linkName !== undefined)
        return this.#output.write(writeHeader({ ...header, type: 'hardlink', linkName }))
      this.#output.write(writeHeader({ ...header, type: 'file', size: stats.size }))
      this.#copy(fd, stats.size)
    } finally {
      fs.closeSync(fd)
    }
  }

  /** The name under which this very file is in the archive already. */
  #linkOf(fd: number, name: string): string | undefined {
    const { dev, ino } = fs.fstatSync(fd, { bigint: true })
    const key = `${dev}:${ino}`
    const first = this.#links.get(key)
    if (first === undefined) this.#links.set(key, name)
    return first
  }

  /** As many bytes as the header says: a file that grows is cut, one that shrinks ends in zeros. */
  #copy(fd: number, size: number): void {
    const output = this.#output
    let left = size
    while (left > 0) {
      const room = output.room()
      const read = fs.readSync(fd, room, 0, Math.min(room.length, left), null)
      if (read === 0) break
      output.filled(read)
      left -= read
    }
    for (; left > 0; left -= Math.min(left, zeros.length))
      output.write(zeros.subarray(0, Math.min(left, zeros.length)))
    output.write(paddingOf(size))
  }

  /** @param at where extended attributes are; undefined if there are none */
  #headerOf(at: string | Buffer | undefined, stats: fs.Stats): TarHeader {
    const xattrs = at === undefined || stats.isSymbolicLink() ? undefined : xattrsOf(at)
    return {
      name: '',
      type: 'directory',
      mode: stats.mode & 0o7777,
      uid: stats.uid,
      gid: stats.gid,
      size: 0,
      mtimeSeconds: Math.floor(stats.mtimeMs / 1000),
      major: 0,
      minor: 0,
      ...(xattrs !== undefined && { xattrs }),
    }
  }
}

const zeros = Buffer.alloc(64 * 1024)

function openUnlessGone(at: string | Buffer): number | undefined {
  try {
    return fs.openSync(at, openFlags)
  } catch (error) {
    const code = errnoCode(error)
    // ELOOP: it became a symbolic link since it was listed.
    if (code === 'ENOENT' || code === 'ELOOP') return undefined
    throw error
  }
}

function xattrsOf(at: string | Buffer): ReadonlyMap<string, Buffer> | undefined {
  let kept: Map<string, Buffer> | undefined
  for (const name of listXattrs(at)) {
    if (!isXattrKept(name)) continue
    const value = getXattr(at, name)
    if (value === undefined) continue
    kept ??= new Map()
    kept.set(name, value)
  }
  return kept
}

/** The reverse of `makeDevice`. */
function splitDevice(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
  }
}
