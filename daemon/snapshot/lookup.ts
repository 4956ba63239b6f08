/**
 * Finds a name in a stack of layers of overlay format as a mounted overlay would show it, without mounting.
 *
 * Names are relative to the root, bytes as latin1. Whiteouts (character device 0:0) and opaque directories are honoured
 * as overlayfs does (kernel: Documentation/filesystems/overlayfs.rst).
 */
import * as fs from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { getXattr } from '../host/syscalls.ts'

export type Kind = 'file' | 'directory' | 'symlink' | 'other'

export interface Found {
  kind: Kind
  /** The layer that shows it: an index into the given folders. */
  layer: number
  /** Its name there, relative to that layer's folder. */
  path: string
  stats: fs.Stats
}

const maxHops = 40

/** The name as a path of the host, for system calls. */
export function layerPath(directory: string, path: string): Buffer {
  const start = Buffer.from(directory)
  return path === '' ? start : Buffer.concat([start, slash, Buffer.from(path, 'latin1')])
}

const slash = Buffer.from('/')

/**
 * What a name is in the stack; no symbolic link is followed, so a name below one is not found.
 * @param directories the layers' folders, the uppermost first
 */
export function lookupName(directories: readonly string[], path: string): Found | undefined {
  let candidates = directories.map((_, index) => index)
  const parts = path === '' ? [''] : path.split('/')
  let prefix = ''
  for (const [index, part] of parts.entries()) {
    prefix = prefix === '' ? part : `${prefix}/${part}`
    const { found, below } = lookupStep(directories, candidates, prefix)
    if (found === undefined || index === parts.length - 1) return found
    if (found.kind !== 'directory') return undefined
    candidates = below
  }
  return undefined
}

/** One name in the layers that share its parent; `below` are the layers whose directories are merged there. */
export function lookupStep(
  directories: readonly string[],
  candidates: readonly number[],
  path: string,
): { found: Found | undefined; below: number[] } {
  let found: Found | undefined
  const below: number[] = []
  for (const layer of candidates) {
    const at = layerPath(directories[layer] ?? '', path)
    const stats = fs.lstatSync(at, { throwIfNoEntry: false })
    if (stats === undefined) continue
    if (stats.isDirectory()) {
      found ??= { kind: 'directory', layer, path, stats }
      below.push(layer)
      // overlayfs merges the roots of layers whatever their marks.
      if (path !== '' && isOpaque(at)) break
      continue
    }
    const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0
    if (!isWhiteout) found ??= { kind: kindOf(stats), layer, path, stats }
    break
  }
  return { found, below }
}

/**
 * What a name is once symbolic links are followed, inside the root: absolute links begin there, `..` stops there.
 * With `followLast` false a link at the very end is answered as such.
 */
export function lookupResolved(
  directories: readonly string[],
  path: string,
  followLast = true,
): Found | undefined {
  const pending = path.split('/').reverse()
  let at = ''
  let hops = 0
  let found = lookupName(directories, '')
  while (pending.length > 0) {
    const part = pending.pop() ?? ''
    if (part === '' || part === '.') continue
    if (part === '..') {
      at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))
      found = lookupName(directories, at)
      continue
    }
    const next = at === '' ? part : `${at}/${part}`
    found = lookupName(directories, next)
    if (found === undefined) return undefined
    const isLast = pending.every((rest) => rest === '' || rest === '.')
    if (found.kind === 'symlink' && (followLast || !isLast)) {
      if (++hops > maxHops) throw new KagoError('invalid_argument', `too many symbolic links in ${path}`)
      const target = readLink(directories, found)
      if (target.startsWith('/')) at = ''
      pending.push(...target.split('/').reverse())
      found = lookupName(directories, at)
      continue
    }
    if (found.kind !== 'directory' && !isLast) return undefined
    at = next
  }
  return found
}

/** The target of a symbolic link that was found, bytes as latin1. */
export function readLink(directories: readonly string[], found: Found): string {
  return fs.readlinkSync(layerPath(directories[found.layer] ?? '', found.path), 'latin1')
}

/** The names a directory shows, as merged. */
export function listMerged(directories: readonly string[], path: string): string[] {
  const names = new Set<string>()
  for (const directory of directories) {
    const at = layerPath(directory, path)
    const stats = fs.lstatSync(at, { throwIfNoEntry: false })
    if (stats === undefined) continue
    if (!stats.isDirectory()) break
    for (const name of fs.readdirSync(at, 'latin1')) names.add(name)
    if (path !== '' && isOpaque(at)) break
  }
  return [...names].filter(
    (name) => lookupName(directories, path === '' ? name : `${path}/${name}`) !== undefined,
  )
}

function isOpaque(path: Buffer): boolean {
  return getXattr(path, 'trusted.overlay.opaque')?.toString('latin1') === 'y'
}

function kindOf(stats: fs.Stats): Kind {
  if (stats.isFile()) return 'file'
  return stats.isSymbolicLink() ? 'symlink' : 'other'
}
