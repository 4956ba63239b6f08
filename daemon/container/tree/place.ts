/** Extracts an archive in the root that this process is in: what `cp` into a container and `cp -` do. */
import * as fs from 'node:fs'
import { posix } from 'node:path'
import { lastName, placeCopy } from '../../../shared/copy-rules.ts'
import { KagoError } from '../../../shared/errors.ts'
import { type TarEntry, TarReader } from '../../../shared/tar/reader.ts'
import { TarError } from '../../../shared/tar/fields.ts'
import { errnoCode, fileError } from '../../host/files.ts'
import {
  changeDirectory,
  mknod,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  setFileTimes,
  setPathTimes,
} from '../../host/syscalls.ts'
import { decompress } from '../../image/decompress.ts'
import { showName } from '../../image/layer-entry.ts'
import { setXattrs } from '../../image/layer-metadata.ts'
import { atPath, parentOf } from '../../image/layer-paths.ts'
import type { PlaceJob } from './job.ts'
import { cleanPath, noSuchFile, openPath } from './locate.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC } = fs.constants

/** @returns bytes of the files that were written */
export async function place(job: PlaceJob, input: AsyncIterable<Buffer>): Promise<number> {
  const placer = new Placer(job)
  try {
    for await (const chunk of decompress(input)) placer.reader.push(chunk)
    placer.reader.finish()
    placer.finish()
  } catch (error) {
    throw placer.explain(error)
  }
  return placer.bytes
}

/** Where the names of the archive go: in which directory, and what stands for the archive's top name. */
interface Rebase {
  from: string
  to: string
}

class Placer {
  readonly #job: PlaceJob
  readonly reader: TarReader
  #rebase: Rebase | undefined
  #isBegun = false
  #current: string | undefined
  #file: { fd: number; path: string; entry: TarEntry } | undefined
  readonly #directories: { path: string; time: TarEntry['mtime'] }[] = []
  bytes = 0

  constructor(job: PlaceJob) {
    this.#job = job
    if (job.mode === 'into') this.#begin(undefined)
    this.reader = new TarReader({
      entry: (entry) => {
        this.#current = entry.name
        this.#begin(entry)
        this.#apply(this.#pathOf(entry.name), entry)
      },
      data: (chunk) => this.#write(chunk),
      end: () => this.#endFile(),
    })
  }

  /** An archive without an entry copies nothing. */
  finish(): void {
    this.#begin(undefined)
    // The deepest first: what is written in a directory changes its time.
    for (const { path, time } of this.#directories.toReversed()) setPathTimes(atPath(path), time)
  }

  explain(error: unknown): KagoError {
    if (error instanceof TarError) {
      return new KagoError('invalid_argument', `this is no tar archive: ${error.message}`, { cause: error })
    }
    const code = errnoCode(error)
    if (code === 'EROFS') {
      return new KagoError(
        'permission_denied',
        `${this.#job.path} is on a read-only mount of the container`,
        {
          cause: error,
        },
      )
    }
    if (code !== undefined && /^(Z_|ZSTD_|ERR_)/.test(code)) {
      return new KagoError('corrupt', 'the compressed bytes of the archive are damaged', { cause: error })
    }
    const what = this.#current === undefined ? this.#job.path : showName(this.#current)
    return fileError(error, `cannot write ${what} in the container`)
  }

  #begin(first: TarEntry | undefined): void {
    if (this.#isBegun) return
    this.#isBegun = true
    const { path, mode } = this.#job
    const target = describeTarget(path)
    if (mode === 'into') {
      if (target.kind !== 'directory') throw notDirectory(path, target.kind)
      return enter(target.path)
    }
    if (first === undefined) return
    const top = topOf(first.name)
    const how = placeCopy({ name: top, isDirectory: first.type === 'directory' }, { path, kind: target.kind })
    if (how === 'into') return enter(target.path)
    enterParent(target.path, path)
    this.#rebase = { from: top, to: Buffer.from(lastName(cleanPath(target.path))).toString('latin1') }
  }

  /** The name in the current directory; '' is the directory itself. */
  #pathOf(name: string): string {
    const path = cleanName(name)
    if (this.#rebase === undefined) return path
    const { from, to } = this.#rebase
    if (from === '.') return path === '' ? to : `${to}/${path}`
    if (path === from) return to
    if (path.startsWith(`${from}/`)) return `${to}${path.slice(from.length)}`
    throw new KagoError(
      'invalid_argument',
      `the archive has more than one name at its top: ${showName(name)}`,
    )
  }

  #apply(path: string, entry: TarEntry): void {
    if (path === '') {
      if (this.#job.withTop === true && entry.type === 'directory') this.#finishDirectory('.', entry)
      return
    }
    switch (entry.type) {
      case 'directory':
        return this.#makeDirectory(path, entry)
      case 'file':
        this.#file = { fd: this.#openFile(path, entry), path, entry }
        return
      case 'symlink':
        this.#make(path, () => fs.symlinkSync(Buffer.from(entry.linkName, 'latin1'), atPath(path)))
        return this.#finishNode(path, entry)
      case 'hardlink': {
        const target = this.#pathOf(entry.linkName)
        return this.#make(path, () => fs.linkSync(atPath(target), atPath(path)))
      }
      case 'fifo':
        this.#make(path, () => mknod(atPath(path), S_IFIFO | (entry.mode & 0o777)))
        return this.#finishNode(path, entry)
      case 'character-device':
      case 'block-device': {
        const type = entry.type === 'block-device' ? S_IFBLK : S_IFCHR
        this.#make(path, () => mknod(atPath(path), type | (entry.mode & 0o777), entry.major, entry.minor))
        return this.#finishNode(path, entry)
      }
      default:
        entry.type satisfies never
    }
  }

  #makeDirectory(path: string, entry: TarEntry): void {
    const found = lstat(path)
    if (found !== undefined && !found.isDirectory()) {
      throw new KagoError('invalid_argument', `cannot replace a file by a directory: ${showName(path)}`)
    }
    if (found === undefined) this.#parented(path, () => fs.mkdirSync(atPath(path), 0o755))
    this.#finishDirectory(path, entry)
  }

  #finishDirectory(path: string, entry: TarEntry): void {
    const { uid, gid } = this.#job.owner ?? entry
    fs.lchownSync(atPath(path), uid, gid)
    fs.chmodSync(atPath(path), entry.mode)
    setXattrs(path, entry.xattrs)
    this.#directories.push({ path, time: entry.mtime })
  }

  #openFile(path: string, entry: TarEntry): number {
    const mode = entry.mode & 0o777
    try {
      return this.#make(path, () => fs.openSync(atPath(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode))
    } catch (error) {
      // A file that is a mount itself, as /etc/hosts, cannot be replaced, but its content can.
      if (errnoCode(error) !== 'EBUSY') throw error
      return fs.openSync(atPath(path), O_WRONLY | O_TRUNC | O_NOFOLLOW)
    }
  }

  #write(chunk: Buffer): void {
    if (this.#file === undefined) return
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.#file.fd, chunk, at)
    this.bytes += chunk.length
  }

  #endFile(): void {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    const { fd, path, entry } = file
    try {
      const { uid, gid } = this.#job.owner ?? entry
      if (uid !== 0 || gid !== 0) fs.fchownSync(fd, uid, gid)
      if ((entry.mode & 0o7000) !== 0) fs.fchmodSync(fd, entry.mode)
      if (entry.xattrs.size > 0) setXattrs(path, entry.xattrs)
      setFileTimes(fd, entry.mtime)
    } finally {
      fs.closeSync(fd)
    }
  }

  #finishNode(path: string, entry: TarEntry): void {
    const { uid, gid } = this.#job.owner ?? entry
    fs.lchownSync(atPath(path), uid, gid)
    if (entry.type !== 'symlink') fs.chmodSync(atPath(path), entry.mode)
    setPathTimes(atPath(path), entry.mtime)
  }

  /** Makes a name, in the place of whatever file has it, in directories that are made where they are missing. */
  #make<T>(path: string, make: () => T): T {
    try {
      return this.#parented(path, make)
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error
    }
    if (lstat(path)?.isDirectory()) {
      throw new KagoError('invalid_argument', `cannot replace a directory by a file: ${showName(path)}`)
    }
    fs.unlinkSync(atPath(path))
    return make()
  }

  #parented<T>(path: string, make: () => T): T {
    try {
      return make()
    } catch (error) {
      const parent = parentOf(path)
      if (errnoCode(error) !== 'ENOENT' || parent === '' || lstat(parent) !== undefined) throw error
      fs.mkdirSync(atPath(parent), { recursive: true, mode: 0o755 })
      return make()
    }
  }
}

function describeTarget(path: string): { path: string; kind: 'directory' | 'file' | undefined } {
  let at = cleanPath(path)
  for (let hops = 0; hops < 40; hops++) {
    const fd = openPath(at.replace(/\/\.?$/, '') || '/', O_NOFOLLOW)
    if (fd === undefined) return { path: at, kind: undefined }
    const stats = fs.fstatSync(fd)
    fs.closeSync(fd)
    if (!stats.isSymbolicLink()) return { path: at, kind: stats.isDirectory() ? 'directory' : 'file' }
    // A link that leads nowhere yet is followed too: what it names is what gets made.
    const name = at.replace(/\/\.?$/, '')
    const link = fs.readlinkSync(name)
    at = cleanPath(link.startsWith('/') ? link : `${posix.dirname(name)}/${link}`)
  }
  throw new KagoError('invalid_argument', `too many symbolic links in ${path}`)
}

function enter(path: string): void {
  const fd = openPath(path, fs.constants.O_DIRECTORY)
  if (fd === undefined) throw noSuchFile(path)
  changeDirectory(fd)
  fs.closeSync(fd)
}

function enterParent(path: string, shown: string): void {
  const parent = posix.dirname(path.replace(/\/\.?$/, ''))
  const fd = openPath(parent)
  if (fd === undefined) {
    throw new KagoError('not_found', `there is no directory ${parent} in the container, for ${shown}`, {
      hint: 'make it first: cp makes the last name of a path, not those before it',
    })
  }
  try {
    if (!fs.fstatSync(fd).isDirectory()) throw notDirectory(parent, 'file')
    changeDirectory(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function notDirectory(path: string, kind: 'file' | undefined): KagoError {
  return kind === undefined
    ? noSuchFile(path)
    : new KagoError('invalid_argument', `${path} of the container is no directory`)
}

function lstat(path: string): fs.Stats | undefined {
  return fs.lstatSync(atPath(path), { throwIfNoEntry: false })
}

function topOf(name: string): string {
  const path = cleanName(name)
  return path === '' ? '.' : (path.split('/')[0] ?? '.')
}

/** Relative, without empty parts, `.` and `..`. @throws invalid_argument for a name that climbs */
function cleanName(name: string): string {
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..')
      throw new KagoError('invalid_argument', `a name of the archive climbs: ${showName(name)}`)
    parts.push(part)
  }
  return parts.join('/')
}
