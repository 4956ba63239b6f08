/**
 * Extracts what came out of a container on this machine, believing nothing of it.
 *
 * The archive was written from a container's files, and who owns the container may have made it hostile. So:
 * - A name has no `..` and is not absolute, and everything but the top is inside a directory that this very archive brought
 *   and that is, at that moment, a real directory here: no symbolic link is ever walked through, neither one of the archive
 *   nor one that was here before.
 * - Files are made anew (the old name is removed first), never written through a link.
 * - Set-id bits are dropped, devices and sockets are not made.
 */
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { lastName, placeCopy } from '../../shared/copy-rules.ts'
import { KagoError } from '../../shared/errors.ts'
import { TarError } from '../../shared/tar/fields.ts'
import { type TarEntry, TarReader } from '../../shared/tar/reader.ts'
import { localPath } from './local-path.ts'

export interface ExtractOptions {
  /** Also the owner, where this user may. */
  isArchive: boolean
  /** Told what is left out. */
  notice: (message: string) => void
}

export interface Extracted {
  /** Of files. */
  bytes: number
}

const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants
/** Not there on Windows, which has no such links to follow at an exclusive create. */
const noFollow = fs.constants.O_NOFOLLOW ?? 0

/** @param destination as it was typed */
export async function extractLocal(
  chunks: AsyncIterable<Buffer>,
  destination: string,
  options: ExtractOptions,
  counted: Extracted,
): Promise<void> {
  const extractor = new Extractor(destination, options, counted)
  try {
    for await (const chunk of chunks) extractor.reader.push(chunk)
    extractor.reader.finish()
    extractor.finish()
  } catch (error) {
    throw extractor.explain(error)
  } finally {
    extractor.close()
  }
}

class Extractor {
  readonly #destination: string
  readonly #options: ExtractOptions
  readonly #counted: Extracted
  readonly reader: TarReader
  /** The local directory that names begin in, and what the archive's top name becomes. */
  #base: { directory: string; from: string; to: string } | undefined
  /** Directories of this archive, by their local names. */
  readonly #directories = new Map<string, { time: number; mode: number }>()
  readonly #files = new Set<string>()
  #open: { fd: number; entry: TarEntry } | undefined
  #current = ''

  constructor(destination: string, options: ExtractOptions, counted: Extracted) {
    this.#destination = destination
    this.#options = options
    this.#counted = counted
    this.reader = new TarReader({
      entry: (entry) => {
        this.#current = entry.name
        this.#apply(entry)
      },
      data: (chunk) => {
        if (this.#open === undefined) return
        for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.#open.fd, chunk, at)
        this.#counted.bytes += chunk.length
      },
      end: () => this.#endFile(),
    })
  }

  /** Directories get their modes and times last: a read-only one could not be filled. */
  finish(): void {
    for (const [name, { time, mode }] of [...this.#directories].reverse()) {
      const path = this.#pathOf(name)
      fs.chmodSync(path, mode)
      fs.utimesSync(path, time, time)
    }
  }

  close(): void {
    if (this.#open !== undefined) fs.closeSync(this.#open.fd)
    this.#open = undefined
  }

  explain(error: unknown): unknown {
    if (error instanceof TarError) {
      return new KagoError('corrupt', `kagod sent an archive that is none: ${error.message}`, {
        cause: error,
      })
    }
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (error instanceof KagoError || typeof code !== 'string') return error
    const [kind, says] =
      code === 'ENOSPC'
        ? (['exhausted', 'no space left'] as const)
        : code === 'EACCES' || code === 'EPERM'
          ? (['permission_denied', 'permission denied'] as const)
          : (['invalid_argument', code] as const)
    return new KagoError(kind, `cannot write ${JSON.stringify(this.#current)} here: ${says}`, {
      cause: error,
    })
  }

  #apply(entry: TarEntry): void {
    const name = this.#nameOf(entry)
    // The directory that the content goes into stays as it is.
    if (name === undefined) return
    this.#checkParent(name)
    switch (entry.type) {
      case 'directory':
        return this.#makeDirectory(name, entry)
      case 'file': {
        this.#open = { fd: this.#createFile(name, entry.mode & 0o777), entry }
        this.#files.add(name)
        return
      }
      case 'symlink':
        this.#clear(name)
        fs.symlinkSync(Buffer.from(entry.linkName, 'latin1').toString(), this.#pathOf(name))
        return fs.lutimesSync(this.#pathOf(name), seconds(entry), seconds(entry))
      case 'hardlink': {
        const target = this.#renamed(cleanName(entry.linkName))
        if (target === undefined || !this.#files.has(target)) {
          throw new KagoError(
            'corrupt',
            `a hard link to a file that did not come with it: ${shown(entry.name)}`,
          )
        }
        this.#checkParent(target)
        this.#clear(name)
        return fs.linkSync(this.#pathOf(target), this.#pathOf(name))
      }
      case 'fifo':
      case 'character-device':
      case 'block-device':
        return this.#options.notice(
          `left out, as it is a ${entry.type.replace('-', ' ')}: ${shown(entry.name)}`,
        )
      default:
        entry.type satisfies never
    }
  }

  #nameOf(entry: TarEntry): string | undefined {
    const clean = cleanName(entry.name)
    if (this.#base === undefined) this.#begin(clean === '' ? '.' : (clean.split('/')[0] ?? ''), entry)
    return this.#renamed(clean)
  }

  #renamed(clean: string): string | undefined {
    const base = this.#base
    if (base === undefined) return undefined
    if (base.from === '.') {
      if (base.to === '') return clean === '' ? undefined : clean
      return clean === '' ? base.to : `${base.to}/${clean}`
    }
    if (clean === base.from) return base.to
    if (clean.startsWith(`${base.from}/`)) return base.to + clean.slice(base.from.length)
    throw new KagoError('corrupt', `kagod sent more than was asked for: ${shown(clean)}`)
  }

  #begin(top: string, entry: TarEntry): void {
    const target = findTarget(this.#destination)
    const how = placeCopy(
      { name: top, isDirectory: entry.type === 'directory' },
      {
        path: this.#destination.replaceAll('\\', process.platform === 'win32' ? '/' : '\\'),
        kind: target.kind,
      },
    )
    if (how === 'into') {
      this.#base = { directory: target.path, from: top, to: top === '.' ? '' : top }
      return
    }
    const directory = dirname(target.path)
    const parent = fs.statSync(directory, { throwIfNoEntry: false })
    if (parent === undefined || !parent.isDirectory()) {
      throw new KagoError('not_found', `there is no directory ${directory}`, {
        hint: 'make it first: cp makes the last name of a path, not those before it',
      })
    }
    const to = Buffer.from(basename(target.path)).toString('latin1')
    this.#base = { directory, from: top, to }
  }

  /** What is not at the top is in a directory of this archive, which is still one. */
  #checkParent(name: string): void {
    const slash = name.lastIndexOf('/')
    if (slash < 0) return
    const parent = name.slice(0, slash)
    // The content of a directory that was here before begins at the top.
    if (this.#directories.has(parent) && fs.lstatSync(this.#pathOf(parent)).isDirectory()) return
    throw new KagoError('corrupt', `a file outside of every directory that came with it: ${shown(name)}`)
  }

  #makeDirectory(name: string, entry: TarEntry): void {
    const path = this.#pathOf(name)
    const found = fs.lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) fs.mkdirSync(path, 0o700)
    else if (!found.isDirectory()) {
      throw new KagoError('invalid_argument', `cannot replace a file by a directory: ${path.toString()}`)
    }
    this.#directories.set(name, { time: seconds(entry), mode: entry.mode & 0o777 })
    this.#own((uid, gid) => fs.lchownSync(path, uid, gid), entry)
  }

  #createFile(name: string, mode: number): number {
    const path = this.#pathOf(name)
    const create = () => fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | noFollow, mode)
    try {
      return create()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    this.#clear(name)
    return create()
  }

  #endFile(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    const { fd, entry } = open
    try {
      this.#own((uid, gid) => fs.fchownSync(fd, uid, gid), entry)
      fs.futimesSync(fd, seconds(entry), seconds(entry))
    } finally {
      fs.closeSync(fd)
    }
  }

  #own(change: (uid: number, gid: number) => void, { uid, gid }: TarEntry): void {
    if (this.#options.isArchive && process.getuid?.() === 0) change(uid, gid)
  }

  /** @throws if a directory is in the way */
  #clear(name: string): void {
    const path = this.#pathOf(name)
    const found = fs.lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) return
    if (found.isDirectory()) {
      throw new KagoError('invalid_argument', `cannot replace a directory by a file: ${path.toString()}`)
    }
    fs.unlinkSync(path)
    this.#files.delete(name)
  }

  #pathOf(name: string): string | Buffer {
    return localPath(this.#base?.directory ?? '', name)
  }
}

/** What is at the destination. The user's own links are followed there, also one that leads nowhere yet. */
function findTarget(destination: string): { path: string; kind: 'directory' | 'file' | undefined } {
  const trimmed =
    lastName(destination) === '.' ? destination : destination.replace(/[/\\]+$/, '') || destination
  let path = process.platform === 'win32' ? trimmed : destination.replace(/\/+$/, '') || '/'
  for (let hops = 0; hops < 40; hops++) {
    const found = fs.lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) return { path, kind: undefined }
    if (!found.isSymbolicLink()) return { path, kind: found.isDirectory() ? 'directory' : 'file' }
    const target = fs.readlinkSync(path)
    path = target.startsWith('/') ? target : join(dirname(path), target)
  }
  throw new KagoError('invalid_argument', `too many symbolic links in ${destination}`)
}

function seconds({ mtime }: TarEntry): number {
  return mtime.seconds
}

/** Relative, without `.` parts. @throws corrupt for what leads out */
function cleanName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (name.startsWith('/') || parts.includes('..') || name.includes('\0')) {
    throw new KagoError('corrupt', `kagod sent a name that leads out: ${shown(name)}`)
  }
  return parts.join('/')
}

function shown(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString())
}
