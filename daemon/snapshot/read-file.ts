/**
 * Reads a file of a container's or image's root without mounting it: `/etc/passwd` for a user's name, before a start.
 *
 * The container may be running and changing its layer at that moment; so the file is opened by openat2 from the layer's
 * folder with no link allowed anywhere, and what was opened is what is judged.
 */
import * as fs from 'node:fs'
import { constants } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { errnoCode, fileError } from '../host/files.ts'
import { openBelow, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } from '../host/syscalls.ts'
import { type Kind, lookupResolved } from './lookup.ts'

/** What a path is inside the root made of `directories` (uppermost first), links followed; undefined if not there. */
export function lookupInLayers(
  directories: readonly string[],
  path: string,
  options: { followLast?: boolean } = {},
): { kind: Kind; mode: number; uid: number; gid: number } | undefined {
  try {
    const found = lookupResolved(directories, bytesOf(path), options.followLast ?? true)
    if (found === undefined) return undefined
    const { mode, uid, gid } = found.stats
    return { kind: found.kind, mode: mode & 0o7777, uid, gid }
  } catch (error) {
    throw fileError(error, `cannot look for ${path}`)
  }
}

/**
 * The bytes of a regular file, symbolic links followed inside the root; undefined if there is none at that path.
 * @throws exhausted when it is larger than `maxBytes`; invalid_argument when it is no regular file
 */
export async function readFileInLayers(
  directories: readonly string[],
  path: string,
  options: { maxBytes: number },
): Promise<Buffer | undefined> {
  try {
    const found = lookupResolved(directories, bytesOf(path))
    if (found === undefined) return undefined
    if (found.kind !== 'file') throw new KagoError('invalid_argument', `${path} is no regular file`)
    return readBelow(directories[found.layer] ?? '', found.path, path, options.maxBytes)
  } catch (error) {
    // It went away, or became a link, between the look and the opening: as good as not there.
    const code = errnoCode(error)
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return undefined
    throw fileError(error, `cannot read ${path}`)
  }
}

function readBelow(directory: string, name: string, shown: string, maxBytes: number): Buffer {
  const root = fs.openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW
    const rules = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
    const fd = openBelow(root, Buffer.from(name, 'latin1'), flags, rules)
    try {
      if (!fs.fstatSync(fd).isFile()) throw new KagoError('invalid_argument', `${shown} is no regular file`)
      return readAtMost(fd, shown, maxBytes)
    } finally {
      fs.closeSync(fd)
    }
  } finally {
    fs.closeSync(root)
  }
}

function readAtMost(fd: number, shown: string, maxBytes: number): Buffer {
  const { size } = fs.fstatSync(fd)
  const buffer = Buffer.alloc(Math.min(size, maxBytes) + 1)
  let length = 0
  for (let read = -1; read !== 0 && length < buffer.length; length += read)
    read = fs.readSync(fd, buffer, length, buffer.length - length, null)
  if (length > maxBytes) throw new KagoError('exhausted', `${shown} is larger than ${maxBytes} bytes`)
  return buffer.subarray(0, length)
}

/** Paths of people are UTF-8; names in layers are bytes. */
function bytesOf(path: string): string {
  return Buffer.from(path).toString('latin1')
}
