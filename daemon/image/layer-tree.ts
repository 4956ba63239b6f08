/**
 * Puts the entries of one layer into a directory, which is the process's root: nothing here can reach out of it.
 *
 * Two formats (contract of the snapshotters):
 * `overlay`: the directory holds this layer alone. What it hides of lower layers is written as overlayfs reads it: a 0:0
 * character device for a name, the xattr `trusted.overlay.opaque=y` for a directory's content.
 * `tree`: the directory holds the lower layers already, and what the layer hides is removed.
 *
 * Rules, where the specification leaves room or other engines differ:
 * - Whiteouts hide what lower layers have, never what this layer has, wherever in the archive they stand.
 * - A later entry of a name replaces an earlier one. A directory that replaces anything else begins empty.
 * - A parent that is a symbolic link is followed, inside the root; a parent that is anything else becomes a directory.
 * - A directory entry replaces a symbolic link (as containerd and moby do); it never follows one.
 * - One thing differs between the formats: a layer that first uses a link of a lower layer as a directory and then hides that
 *   very link has its files behind the link in `tree`, in a new directory in `overlay`. No program writes such a layer.
 *
 * In overlay format the lower layers are not here, and three things cannot be decided alone. They are reported, and settled
 * by `settle-layer.ts` when the lower layers are known: directories the archive only implies, of which a lower layer may
 * have the owner and mode, or which may be symbolic links there; and hard links to files of lower layers.
 *
 * All paths in here are canonical: relative to the root, no symbolic link in them, bytes as latin1.
 */
import * as fs from 'node:fs'
import {
  listXattrs,
  mknod,
  removeXattr,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  setFileTimes,
  setPathTimes,
  setXattr,
} from '../host/syscalls.ts'
import { errnoCode } from '../host/files.ts'
import { EntryRefused, isXattrKept, type LayerAction } from './layer-entry.ts'
import { setXattrs, timeOf } from './layer-metadata.ts'
import { atPath, baseName, parentOf, joinPath, removeAll } from './layer-paths.ts'
import type { TarEntry } from '../../shared/tar/reader.ts'

export type LayerFormat = 'overlay' | 'tree'

/** What a layer leaves to be settled with its lower layers. Paths as everywhere here. */
export interface LayerReport {
  /** Directories to take owner, mode, times and xattrs from a lower layer, if one has them. */
  implied: string[]
  /** Names that were taken for directories because this layer had nothing there: a lower layer may have a symbolic link. */
  assumed: string[]
  /** Targets of hard links that this layer does not have. */
  missing: string[]
  /** The layer hides all of the root's lower content, which overlayfs has no mark for. */
  isRootOpaque: boolean
}

interface DirectoryState {
  /** The directory it is in; none for the root. */
  parent: DirectoryState | undefined
  /** Has an entry of its own; otherwise only implied by what is in it. */
  isExplicit: boolean
  /** Nothing of a lower layer shows through, and it is not the lower layers' directory: it was hidden or replaced. */
  isFresh: boolean
  isOpaque: boolean
  hasContent: boolean
  time: TarEntry['mtime'] | undefined
}

/** A file placed by `settle-layer.ts` because this layer refers to it; it stays only if it became part of the layer. */
export interface Seed {
  path: string
  inode: string
}

const impliedMode = 0o755
/** As the kernel's MAXSYMLINKS. */
const maxHops = 40

export class LayerTree {
  readonly #format: LayerFormat
  readonly #directories = new Map<string, DirectoryState>()
  /** Raw directory names of the archive → the canonical directory. */
  #resolved = new Map<string, string>()
  readonly #assumed = new Set<string>()
  readonly #missing = new Set<string>()
  /** Hard links that wait for a missing target. */
  readonly #unmade = new Set<string>()
  /** In tree format: what this layer put there, so that a whiteout spares it. */
  readonly #own = new Set<string>()
  readonly #seeds: ReadonlyMap<string, string>
  #hops = 0
  #file: { fd: number; path: string; entry: TarEntry } | undefined

  constructor(format: LayerFormat, seeds: readonly Seed[] = []) {
    this.#format = format
    this.#seeds = new Map(seeds.map((seed) => [seed.path, seed.inode]))
    const found = fs.lstatSync('.', { bigint: true })
    this.#directories.set('', {
      parent: undefined,
      isExplicit: false,
      isFresh: false,
      isOpaque: false,
      hasContent: true,
      time: format === 'tree' ? timeOf(found) : undefined,
    })
    if (format === 'overlay') fs.chmodSync('.', impliedMode)
  }

  apply(action: LayerAction, entry: TarEntry): void {
    switch (action.do) {
      case 'skip':
        return
      case 'hide':
        return this.#hide(action.path)
      case 'hide-content':
        return this.#hideContent(this.#enterDirectory(action.path))
      case 'directory':
        return this.#makeDirectory(action.path, entry)
      case 'file':
        return this.#openFile(action.path, entry)
      case 'symlink':
        return this.#makeSymlink(action.path, action.target, entry)
      case 'hardlink':
        return this.#makeHardlink(action.path, action.target)
      case 'device':
        return this.#makeNode(action.path, action.kind === 'character' ? S_IFCHR : S_IFBLK, entry)
      case 'fifo':
        return this.#makeNode(action.path, S_IFIFO, entry)
      default:
        action satisfies never
    }
  }

  /** Bytes of the file whose entry came last; ignored if that entry was none that has any. */
  write(chunk: Buffer): void {
    if (this.#file === undefined) return
    for (let written = 0; written < chunk.length; ) written += fs.writeSync(this.#file.fd, chunk, written)
  }

  endFile(): void {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    try {
      const { uid, gid, mode, mtime, xattrs } = file.entry
      if (uid !== 0 || gid !== 0) fs.fchownSync(file.fd, uid, gid)
      // A change of owner, and a write, clear the set-id bits.
      if ((mode & 0o7000) !== 0) fs.fchmodSync(file.fd, mode)
      if (xattrs.size > 0) setXattrs(file.path, xattrs)
      setFileTimes(file.fd, mtime)
    } finally {
      fs.closeSync(file.fd)
    }
  }

  /** Finishes the directories. Nothing may be applied after it. */
  finish(): LayerReport {
    for (const path of this.#seeds.keys()) this.#removeUnusedSeed(path)
    this.#hideEmptiedDirectories()
    const implied: string[] = []
    for (const [path, directory] of this.#directories) {
      if (!directory.isExplicit && !this.#isHiddenBelow(path)) implied.push(path)
      setPathTimes(atPath(path), directory.time ?? { seconds: 0, nanoseconds: 0 })
    }
    return {
      implied,
      assumed: [...this.#assumed].filter((path) => !this.#isHiddenBelow(path)),
      missing: [...this.#missing],
      isRootOpaque: this.#directories.get('')?.isOpaque === true,
    }
  }

  // ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The canonical directory that a name of the archive means, made if it is not there. */
  #enterDirectory(raw: string): string {
    const known = this.#resolved.get(raw)
    if (known !== undefined) return known
    this.#hops = 0
    return this.#resolve(raw)
  }

  #resolve(raw: string): string {
    if (raw === '') return ''
    const known = this.#resolved.get(raw)
    if (known !== undefined) return known
    const path = this.#step(this.#resolve(parentOf(raw)), baseName(raw))
    this.#resolved.set(raw, path)
    return path
  }

  /** One step down from a canonical directory. */
  #step(directory: string, name: string): string {
    const path = joinPath(directory, name)
    if (this.#directories.has(path)) return path
    const found = lstat(path)
    if (found === undefined) {
      this.#assumed.add(path)
      this.#newDirectory(path, { isExplicit: false, isFresh: false })
    } else if (found.isDirectory()) {
      this.#adoptDirectory(path, found)
    } else if (found.isSymbolicLink()) {
      return this.#follow(directory, path)
    } else {
      this.#clear(path)
      this.#newDirectory(path, { isExplicit: false, isFresh: true })
    }
    return path
  }

  #follow(directory: string, link: string): string {
    if (++this.#hops > maxHops) throw new EntryRefused('too many symbolic links in its name')
    const target = fs.readlinkSync(atPath(link), 'latin1')
    let at = target.startsWith('/') ? '' : directory
    for (const part of target.split('/')) {
      if (part === '..') at = parentOf(at)
      else if (part !== '' && part !== '.') at = this.#step(at, part)
    }
    return at
  }

  /** The canonical place of an entry: its parent entered, its own name as it is. */
  #place(raw: string): string {
    const parent = this.#enterDirectory(parentOf(raw))
    const directory = this.#directories.get(parent)
    if (directory !== undefined) directory.hasContent = true
    const path = joinPath(parent, baseName(raw))
    if (path.length >= 4096) throw new EntryRefused('its name is too long once links are followed')
    if (this.#format === 'tree') this.#own.add(path)
    return path
  }

  // ── directories ──────────────────────────────────────────────────────────────────────────────────────────────────

  #newDirectory(path: string, how: { isExplicit: boolean; isFresh: boolean }): DirectoryState {
    fs.mkdirSync(atPath(path), impliedMode)
    const parent = this.#directories.get(parentOf(path))
    const directory: DirectoryState = { ...how, parent, isOpaque: false, hasContent: false, time: undefined }
    this.#directories.set(path, directory)
    if (how.isFresh) this.#markOpaque(path, directory)
    return directory
  }

  /** A directory that was there before this layer: a lower layer's in tree format, the parent of a seed otherwise. */
  #adoptDirectory(path: string, found: fs.BigIntStats): DirectoryState {
    const directory: DirectoryState = {
      parent: this.#directories.get(parentOf(path)),
      isExplicit: false,
      isFresh: false,
      isOpaque: false,
      hasContent: false,
      time: this.#format === 'tree' ? timeOf(found) : undefined,
    }
    if (this.#format === 'overlay') this.#assumed.add(path)
    this.#directories.set(path, directory)
    return directory
  }

  #makeDirectory(raw: string, entry: TarEntry): void {
    const path = raw === '' ? '' : this.#place(raw)
    const directory = this.#directories.get(path) ?? this.#findOrMakeDirectory(path)
    directory.isExplicit = true
    directory.time = entry.mtime
    fs.lchownSync(atPath(path), entry.uid, entry.gid)
    fs.chmodSync(atPath(path), entry.mode)
    setXattrs(path, entry.xattrs)
  }

  #findOrMakeDirectory(path: string): DirectoryState {
    const found = lstat(path)
    if (found?.isDirectory()) {
      // The entry says all there is to say of the directory: what a lower layer's had goes.
      for (const name of listXattrs(atPath(path))) if (isXattrKept(name)) removeXattr(atPath(path), name)
      return this.#adoptDirectory(path, found)
    }
    if (found === undefined) return this.#newDirectory(path, { isExplicit: true, isFresh: false })
    this.#clear(path)
    return this.#newDirectory(path, { isExplicit: true, isFresh: true })
  }

  #markOpaque(path: string, directory: DirectoryState): void {
    if (directory.isOpaque) return
    directory.isOpaque = true
    if (this.#format === 'overlay' && path !== '')
      setXattr(atPath(path), 'trusted.overlay.opaque', Buffer.from('y'))
  }

  // ── what is hidden ───────────────────────────────────────────────────────────────────────────────────────────────

  #hide(raw: string): void {
    const path = joinPath(this.#enterDirectory(parentOf(raw)), baseName(raw))
    const directory = this.#directories.get(path)
    if (directory !== undefined) {
      this.#hideContent(path)
      directory.isFresh = true
      if (!directory.isExplicit) this.#resetDirectory(path, directory)
      return
    }
    if (this.#format === 'overlay') {
      // Whatever this layer has there hides the lower name by itself; a seed is the lower layers' own.
      const found = lstat(path)
      if (found !== undefined && !this.#isSeed(path, found)) return
      if (found !== undefined) this.#clear(path)
      mknod(atPath(path), S_IFCHR, 0, 0)
    } else if (!this.#own.has(path)) {
      this.#clear(path)
    }
  }

  #resetDirectory(path: string, directory: DirectoryState): void {
    directory.time = undefined
    fs.lchownSync(atPath(path), 0, 0)
    fs.chmodSync(atPath(path), impliedMode)
  }

  #hideContent(path: string): void {
    const directory = this.#directories.get(path)
    if (directory === undefined) return
    this.#markOpaque(path, directory)
    if (this.#format === 'tree') this.#removeLowerContent(path)
  }

  #removeLowerContent(path: string): void {
    for (const name of fs.readdirSync(atPath(path), 'latin1')) {
      const child = joinPath(path, name)
      if (this.#directories.has(child)) this.#removeLowerContent(child)
      else if (!this.#own.has(child)) removeAll(child)
    }
  }

  /** A directory that was hidden and got no content but whiteouts is not the layer's: the name stays hidden. */
  #hideEmptiedDirectories(): void {
    const deepestFirst = [...this.#directories].sort(([a], [b]) => b.length - a.length)
    for (const [path, directory] of deepestFirst) {
      if (directory.isFresh && !directory.isExplicit && !directory.hasContent) {
        this.#clear(path)
        if (this.#format === 'overlay') mknod(atPath(path), S_IFCHR, 0, 0)
      } else if (directory.hasContent || directory.isExplicit) {
        if (directory.parent !== undefined) directory.parent.hasContent = true
      }
    }
  }

  /** Whether lower layers cannot show at this name: it, or a directory above it, was hidden or replaced. */
  #isHiddenBelow(path: string): boolean {
    const directory = this.#directories.get(path)
    if (directory?.isFresh === true) return true
    // By pointer: names may be thousands of directories deep, and each look into the map hashes a whole name.
    let above = directory === undefined ? this.#directories.get(parentOf(path)) : directory.parent
    for (; above !== undefined; above = above.parent) if (above.isOpaque) return true
    return false
  }

  // ── everything else ──────────────────────────────────────────────────────────────────────────────────────────────

  #openFile(raw: string, entry: TarEntry): void {
    const path = this.#place(raw)
    const open = () => fs.openSync(atPath(path), openFlags, entry.mode & 0o777)
    this.#file = { fd: this.#make(path, open), path, entry }
  }

  #makeSymlink(raw: string, target: string, entry: TarEntry): void {
    const path = this.#place(raw)
    this.#make(path, () => fs.symlinkSync(Buffer.from(target, 'latin1'), atPath(path)))
    this.#finishNode(path, entry)
  }

  #makeNode(raw: string, type: number, entry: TarEntry): void {
    const path = this.#place(raw)
    this.#make(path, () => mknod(atPath(path), type | (entry.mode & 0o777), entry.major, entry.minor))
    this.#finishNode(path, entry, entry.mode)
  }

  #finishNode(path: string, entry: TarEntry, mode?: number): void {
    if (entry.uid !== 0 || entry.gid !== 0) fs.lchownSync(atPath(path), entry.uid, entry.gid)
    if (mode !== undefined && (mode & 0o7000) !== 0) fs.chmodSync(atPath(path), mode)
    setXattrs(path, entry.xattrs)
    setPathTimes(atPath(path), entry.mtime)
  }

  #makeHardlink(raw: string, rawTarget: string): void {
    const target = joinPath(this.#enterDirectory(parentOf(rawTarget)), baseName(rawTarget))
    const found = lstat(target)
    if (found === undefined && this.#format === 'overlay' && !this.#isHiddenBelow(target)) {
      // A link to a link that could not be made waits for the same target.
      if (!this.#unmade.has(target)) this.#missing.add(target)
      this.#unmade.add(joinPath(this.#enterDirectory(parentOf(raw)), baseName(raw)))
      return
    }
    if (found === undefined || isWhiteout(found))
      throw new EntryRefused('a hard link to a file that is not there')
    if (found.isDirectory()) throw new EntryRefused('a hard link to a directory')
    const path = this.#place(raw)
    if (path === target) return
    this.#make(path, () => fs.linkSync(atPath(target), atPath(path)))
  }

  /** Makes a name, in the place of whatever has it. */
  #make<T>(path: string, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error
    }
    this.#clear(path)
    return make()
  }

  #clear(path: string): void {
    if (path === '') throw new EntryRefused('the root can only be a directory')
    const found = lstat(path)
    if (found?.isDirectory() || found?.isSymbolicLink()) this.#resolved.clear()
    removeAll(path, (removed) => {
      this.#directories.delete(removed)
      // The name itself is being given to something new of this layer.
      if (removed !== path) this.#own.delete(removed)
    })
  }

  #isSeed(path: string, found: fs.BigIntStats): boolean {
    return this.#seeds.get(path) === String(found.ino)
  }

  #removeUnusedSeed(path: string): void {
    const found = lstat(path)
    if (found !== undefined && this.#isSeed(path, found) && found.nlink === 1n) removeAll(path)
  }
}

const openFlags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW

function lstat(path: string): fs.BigIntStats | undefined {
  return fs.lstatSync(atPath(path), { throwIfNoEntry: false, bigint: true })
}

function isWhiteout(found: fs.BigIntStats): boolean {
  return found.isCharacterDevice() && found.rdev === 0n
}
