/**
 * Decides what a tar entry of a layer asks for; touches nothing. OCI image spec, layer.md.
 *
 * Names are bytes, one per character (latin1), and come out relative to the layer's root, without empty parts, `.` or `..`;
 * the root itself is ''. Symbolic links inside a name are not known here: `layer-tree.ts` resolves them.
 */
import type { TarEntry } from '../../shared/tar/reader.ts'
import { errnoCode } from '../host/files.ts'

export type LayerAction =
  | { do: 'skip'; why: string }
  /** Hide everything lower layers have in this directory. */
  | { do: 'hide-content'; path: string }
  /** Hide what lower layers have under this name. */
  | { do: 'hide'; path: string }
  | { do: 'directory' | 'file' | 'fifo'; path: string }
  | { do: 'device'; kind: 'character' | 'block'; path: string }
  | { do: 'symlink'; path: string; target: string }
  | { do: 'hardlink'; path: string; target: string }

/** An entry that breaks a rule of layers; the rule is a sentence that continues "entry NAME: …". */
export class EntryRefused extends Error {
  override readonly name = 'EntryRefused'
  readonly rule: string

  constructor(rule: string, cause?: unknown) {
    super(rule, { cause })
    this.rule = rule
  }

  /** A failed system call on an entry; its errno decides the code of the final error. */
  get errno(): string | undefined {
    return errnoCode(this.cause)
  }
}

/** Leaves room under PATH_MAX for the folder a layer lies in. */
const maxPathBytes = 4000
const whiteout = '.wh.'
const opaque = '.wh..wh..opq'
/** What AUFS left in its layers for itself. */
const aufs = '.wh..wh.'

export function decideEntry(entry: TarEntry): LayerAction {
  const path = cleanName(entry.name)
  const parts = path.split('/')
  const base = parts.at(-1) ?? ''
  if (path.includes(whiteout)) {
    const parents = parts.slice(0, -1)
    if (base === opaque && !parents.some(isWhiteout)) return { do: 'hide-content', path: parents.join('/') }
    if (parts.some((part) => part.startsWith(aufs))) return { do: 'skip', why: 'metadata of AUFS' }
    if (parents.some(isWhiteout)) throw new EntryRefused('a whiteout cannot have children')
    if (isWhiteout(base)) {
      const name = base.slice(whiteout.length)
      if (name === '' || name === '.' || name === '..') throw new EntryRefused('a whiteout of no name')
      return { do: 'hide', path: [...parents, name].join('/') }
    }
  }
  if (path === '' && entry.type !== 'directory') throw new EntryRefused('the root can only be a directory')
  checkOwner(entry)
  switch (entry.type) {
    case 'directory':
    case 'file':
    case 'fifo':
      return { do: entry.type, path }
    case 'symlink':
      if (entry.linkName === '') throw new EntryRefused('a symbolic link to nothing')
      checkText(entry.linkName)
      return { do: 'symlink', path, target: entry.linkName }
    case 'hardlink':
      return { do: 'hardlink', path, target: cleanTarget(entry.linkName) }
    case 'character-device':
      // 0:0 is how overlayfs writes a whiteout: it would hide files of other layers behind the archive's back.
      if (entry.major === 0 && entry.minor === 0) throw new EntryRefused('a character device 0:0')
      checkDevice(entry)
      return { do: 'device', kind: 'character', path }
    case 'block-device':
      checkDevice(entry)
      return { do: 'device', kind: 'block', path }
  }
}

function isWhiteout(part: string): boolean {
  return part.startsWith(whiteout)
}

/** The name inside the root. @throws EntryRefused if it climbs above the root at any point. */
function cleanName(name: string): string {
  if (name === '') throw new EntryRefused('an empty name')
  const parts: string[] = []
  checkText(name)
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) throw new EntryRefused('its name leads above the root')
  }
  return parts.join('/')
}

/** A hard link's target is a name inside the root, from the root, and `..` stops there, as it does for a container. */
function cleanTarget(name: string): string {
  if (name === '') throw new EntryRefused('a hard link to nothing')
  checkText(name)
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function checkText(name: string): void {
  if (name.includes('\0')) throw new EntryRefused('a name with a NUL byte')
  if (name.length > maxPathBytes) throw new EntryRefused(`a name longer than ${maxPathBytes} bytes`)
}

/** The kernel's ids are 32 bits, and the highest means "do not change". */
function checkOwner(entry: TarEntry): void {
  for (const id of [entry.uid, entry.gid])
    if (id > 0xfffffffe) throw new EntryRefused(`an owner that no system has: ${id}`)
}

/** Linux keeps 12 bits of a major and 20 of a minor number. */
function checkDevice(entry: TarEntry): void {
  if (entry.major > 0xfff || entry.minor > 0xfffff)
    throw new EntryRefused(`a device number that no system has: ${entry.major}:${entry.minor}`)
}

/**
 * Which extended attributes of an archive are kept: those of users and file capabilities. Never what steers overlayfs
 * (`trusted.overlay.*`, `user.overlay.*`) nor the labels of the machine the archive was made on (`security.selinux` …).
 */
export function isXattrKept(name: string): boolean {
  if (name === 'security.capability') return true
  return name.startsWith('user.') && !name.startsWith('user.overlay.') && !name.includes('\0')
}

/** A name from an archive for messages: control characters, non-ASCII bytes and quotes escaped, cut when long. */
export function showName(name: string): string {
  const utf8 = Buffer.from(name, 'latin1').toString()
  const readable = utf8.includes('\ufffd') ? name : utf8
  const cut = readable.length > 200 ? `${readable.slice(0, 197)}...` : readable
  return JSON.stringify(cut).replace(unprintable, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** C1 controls, DEL, and what turns the direction of text. */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
