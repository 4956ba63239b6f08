/** Finds the file that a path of a container means, from inside its root. */
import * as fs from 'node:fs'
import { posix } from 'node:path'
import { assertsDirectory, lastName, meansContent } from '../../../shared/copy-rules.ts'
import { KagoError } from '../../../shared/errors.ts'
import type { FileStat } from '../../../shared/protocol/files.ts'
import { errnoCode } from '../../host/files.ts'
import { changeDirectory, openBelow, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../host/syscalls.ts'
import { O_PATH } from './enter.ts'

/** Links of /proc that lead where no path leads are not followed, whatever a container points at them. */
const rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS

/** `/a/../b/.` → `/b/.`: cleaned as text, as Docker does; the end keeps its meaning. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/\/+$/, '')
  if (meansContent(path)) return `${clean}/.`
  return assertsDirectory(path) || clean === '' ? `${clean}/` : clean
}

/** Opens a path as the kernel finds it, for nothing but to know it. Undefined if there is nothing. */
export function openPath(path: string, more = 0): number | undefined {
  const root = fs.openSync('/', O_PATH | fs.constants.O_DIRECTORY)
  try {
    return openBelow(root, path, O_PATH | more, rules)
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined
    throw error
  } finally {
    fs.closeSync(root)
  }
}

export interface Located {
  /** The archive's name of it. */
  name: string
  /** The name for system calls, from the current directory, which is now the one it is in; `.` for a directory itself. */
  at: string
  stats: fs.Stats
}

/** Goes to the directory of a path's last name, or into it where the path says that it is a directory. */
export function locate(path: string, follow: boolean): Located {
  const clean = cleanPath(path)
  const name = lastName(clean)
  if (assertsDirectory(clean)) {
    enterDirectory(clean)
    return { name, at: '.', stats: fs.lstatSync('.') }
  }
  if (follow) {
    const target = followed(clean)
    if (target !== undefined) return { ...locate(target, false), name }
  }
  enterDirectory(posix.dirname(clean), path)
  const stats = fs.lstatSync(name, { throwIfNoEntry: false })
  if (stats === undefined) throw noSuchFile(path)
  return { name, at: name, stats }
}

/** The path with all links followed, step by step inside the root; undefined if its last name is none. */
function followed(path: string): string | undefined {
  let at = path
  for (let hops = 0; hops < 40; hops++) {
    enterDirectory(posix.dirname(at), path)
    const base = posix.basename(at)
    const stats = fs.lstatSync(base, { throwIfNoEntry: false })
    if (stats === undefined) throw noSuchFile(path)
    if (!stats.isSymbolicLink()) return hops === 0 ? undefined : at
    const target = fs.readlinkSync(base)
    at = posix.normalize(target.startsWith('/') ? target : `${posix.dirname(at)}/${target}`)
  }
  throw new KagoError('invalid_argument', `too many symbolic links in ${path}`)
}

function enterDirectory(path: string, shown = path): void {
  const fd = openPath(path, fs.constants.O_DIRECTORY)
  if (fd === undefined) throw noSuchFile(shown)
  changeDirectory(fd)
  fs.closeSync(fd)
}

export function noSuchFile(path: string): KagoError {
  return new KagoError('not_found', `there is no ${path} in the container`)
}

export function describeFile({ at, name, stats }: Located): FileStat {
  return {
    name,
    kind: stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'symlink'
        : stats.isFile()
          ? 'file'
          : 'other',
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    sizeBytes: stats.size,
    modifiedAt: new Date(stats.mtimeMs).toISOString(),
    ...(stats.isSymbolicLink() && { linkTarget: fs.readlinkSync(at) }),
  }
}
