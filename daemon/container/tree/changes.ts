/**
 * Compares a container's writable layer with what is below it.
 *
 * The container may be running and swapping directories for symbolic links in that very layer: so the layer is walked by
 * descriptors, each directory opened in its parent with no link allowed, and names are looked up one at a time in them.
 * The layers below never change.
 */
import * as fs from 'node:fs'
import { errnoCode } from '../../host/files.ts'
import { getXattr, listXattrs, openBelow, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../../host/syscalls.ts'
import { type Found, layerPath, listMerged, lookupStep } from '../../snapshot/lookup.ts'
import type { ChangesJob } from './job.ts'

export interface Change {
  kind: 'A' | 'C' | 'D'
  /** Relative, bytes as latin1. */
  path: string
  /** For system calls, during the call only. Undefined for what is gone. */
  at: Buffer | undefined
  stats: fs.Stats | undefined
  /** Of a directory: it hides all that is below it. Of what is gone: such a directory hides it already. */
  isOpaque: boolean
}

/** A directory on the way: told as changed once something in it is. */
interface Level {
  tell: () => void
}

const deepest = 900

/** Parents come before what is in them. */
export function walkChanges(job: ChangesJob, tell: (change: Change) => void): void {
  const root = fs.openSync(job.upper, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    const walker = new Walker(job, tell)
    walker.walk(
      root,
      '',
      job.lowers.map((_, index) => index),
      false,
      { tell: () => {} },
      0,
    )
  } finally {
    fs.closeSync(root)
  }
}

class Walker {
  readonly #job: ChangesJob
  readonly #tell: (change: Change) => void
  readonly #stubs: ReadonlySet<string>

  constructor(job: ChangesJob, tell: (change: Change) => void) {
    this.#job = job
    this.#tell = tell
    this.#stubs = new Set(job.stubs)
  }

  walk(
    fd: number,
    path: string,
    lowers: readonly number[],
    isOpaque: boolean,
    level: Level,
    depth: number,
  ): void {
    if (depth > deepest) throw new Error(`directories are nested more than ${deepest} deep`)
    const names = listDirectory(fd)
    for (const name of names)
      this.#visit(fd, path === '' ? name : `${path}/${name}`, name, lowers, isOpaque, level, depth)
    if (this.#job.format === 'tree' || isOpaque) this.#tellMissing(new Set(names), path, lowers, level)
  }

  #visit(
    fd: number,
    path: string,
    name: string,
    lowers: readonly number[],
    isHidden: boolean,
    level: Level,
    depth: number,
  ): void {
    const at = inDirectory(fd, name)
    const stats = fs.lstatSync(at, { throwIfNoEntry: false })
    if (stats === undefined) return
    const { found, below } = lookupStep(this.#job.lowers, lowers, path)
    if (this.#job.format === 'overlay' && stats.isCharacterDevice() && stats.rdev === 0) {
      if (found === undefined) return
      level.tell()
      this.#tell({ kind: 'D', path, at: undefined, stats: undefined, isOpaque: false })
      return
    }
    if (stats.isDirectory())
      return this.#visitDirectory(fd, { path, name, at, stats, found, below, isHidden }, level, depth)
    if (found === undefined && stats.size === 0 && this.#stubs.has(path)) return
    if (this.#job.format === 'tree' && found !== undefined && isSame(at, stats, this.#pathOf(found), found))
      return
    level.tell()
    this.#tell({ kind: found === undefined ? 'A' : 'C', path, at, stats, isOpaque: false })
  }

  #visitDirectory(
    fd: number,
    entry: {
      path: string
      name: string
      at: Buffer
      stats: fs.Stats
      found: Found | undefined
      below: number[]
      isHidden: boolean
    },
    level: Level,
    depth: number,
  ): void {
    const { path, name, at, stats, found, below, isHidden } = entry
    const isBelow = found?.kind === 'directory'
    const isOpaque = this.#job.format === 'overlay' && isBelow && (isHidden || isMarkedOpaque(at))
    let isTold = false
    const tell = () => {
      if (isTold) return
      isTold = true
      level.tell()
      this.#tell({ kind: found === undefined ? 'A' : 'C', path, at, stats, isOpaque })
    }
    const isSilent = isBelow
      ? !isOpaque && hasSameOwner(stats, found.stats) && hasSameXattrs(at, this.#pathOf(found))
      : found === undefined && this.#stubs.has(path)
    if (!isSilent) tell()
    const child = openDirectory(fd, name)
    if (child === undefined) return
    try {
      this.walk(child, path, isBelow ? below : [], isOpaque, { tell }, depth + 1)
    } finally {
      fs.closeSync(child)
    }
  }

  /** What is below and not here: an opaque directory hides it, and a copied tree lacks it. */
  #tellMissing(names: ReadonlySet<string>, path: string, lowers: readonly number[], level: Level): void {
    const directories = lowers.map((index) => this.#job.lowers[index] ?? '')
    for (const name of listMerged(directories, path)) {
      if (names.has(name)) continue
      level.tell()
      const gone = path === '' ? name : `${path}/${name}`
      this.#tell({
        kind: 'D',
        path: gone,
        at: undefined,
        stats: undefined,
        isOpaque: this.#job.format === 'overlay',
      })
    }
  }

  #pathOf({ layer, path }: Found): Buffer {
    return layerPath(this.#job.lowers[layer] ?? '', path)
  }
}

function inDirectory(fd: number, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${fd}/${name}`, 'latin1')
}

function listDirectory(fd: number): string[] {
  return fs.readdirSync(`/proc/self/fd/${fd}`, 'latin1').sort()
}

function openDirectory(fd: number, name: string): number | undefined {
  try {
    const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW
    return openBelow(fd, Buffer.from(name, 'latin1'), flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
  } catch (error) {
    const code = errnoCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
}

function isMarkedOpaque(at: Buffer): boolean {
  return getXattr(at, 'trusted.overlay.opaque')?.toString('latin1') === 'y'
}

function hasSameOwner(a: fs.Stats, b: fs.Stats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

/** Of a copied tree: times and sizes are those of the original unless somebody wrote. */
function isSame(at: Buffer, stats: fs.Stats, lowerAt: Buffer, { stats: lower }: Found): boolean {
  if (!hasSameOwner(stats, lower) || stats.size !== lower.size || stats.mtimeMs !== lower.mtimeMs)
    return false
  if (stats.rdev !== lower.rdev) return false
  if (stats.isSymbolicLink()) return fs.readlinkSync(at, 'latin1') === fs.readlinkSync(lowerAt, 'latin1')
  return hasSameXattrs(at, lowerAt)
}

function hasSameXattrs(at: Buffer, lowerAt: Buffer): boolean {
  return describeXattrs(at) === describeXattrs(lowerAt)
}

function describeXattrs(at: Buffer): string {
  const names = listXattrs(at).filter((name) => !name.startsWith('trusted.overlay.'))
  return names
    .sort()
    .map((name) => `${name}=${getXattr(at, name)?.toString('hex') ?? ''}`)
    .join('\n')
}
