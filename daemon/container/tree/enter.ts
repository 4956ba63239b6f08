/**
 * Goes into a container's root, with the whole process and for good: after it no name and no symbolic link leads out, not
 * even one that the container swaps while it is being walked, because there is no outside any more.
 */
import * as fs from 'node:fs'
import { KagoError } from '../../../shared/errors.ts'
import { errnoCode } from '../../host/files.ts'
import { readProcessStat } from '../../host/process.ts'
import {
  attachMount,
  changeDirectory,
  chroot,
  enterMountNamespace,
  cloneMount,
  loadSyscalls,
  mount,
  openBelow,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../../host/syscalls.ts'
import type { Mount } from '../../snapshot/contract.ts'
import type { Bind, Root } from './job.ts'

const MS_RDONLY = 1
const MS_REMOUNT = 32
const MS_BIND = 4096
const MS_REC = 16384
export const O_PATH = 0o10000000
const overlayMagic = 0x794c7630

/** @throws wrong_state if the container has ended meanwhile. The current directory is the root afterwards. */
export function enterRoot(root: Root): void {
  loadSyscalls()
  process.umask(0)
  switch (root.by) {
    case 'process':
      return enterProcess(root.pid, root.pidStart)
    case 'shim':
      return lockIn(openSeenByShim(root))
    case 'mounts':
      return enterMounts(root)
    default:
      root satisfies never
  }
}

/** Into its namespace too: what is a mount there can only then not be removed. */
function enterProcess(pid: number, pidStart: number): void {
  const namespace = openOfProcess(pid, pidStart, 'ns/mnt', fs.constants.O_RDONLY)
  const root = openOfProcess(pid, pidStart, 'root', O_PATH | fs.constants.O_DIRECTORY)
  enterMountNamespace(namespace)
  fs.closeSync(namespace)
  lockIn(root)
}

function openOfProcess(pid: number, pidStart: number, name: string, flags: number): number {
  try {
    const fd = fs.openSync(`/proc/${pid}/${name}`, flags)
    // Opened first, then compared: a process that took the number since would have another start.
    if (readProcessStat(pid)?.startTime === pidStart) return fd
  } catch (error) {
    const code = errnoCode(error)
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EACCES') throw error
  }
  throw new KagoError('wrong_state', 'the container ended meanwhile', { hint: 'try again' })
}

function openSeenByShim({ pid, path, type, upper }: Root & { by: 'shim' }): number {
  const seen = `/proc/${pid}/root${path}`
  const fd = fs.openSync(seen, O_PATH | fs.constants.O_DIRECTORY)
  const isIt =
    type === 'overlay'
      ? fs.statfsSync(seen).type === overlayMagic
      : isSame(fs.fstatSync(fd), fs.statSync(upper))
  if (isIt) return fd
  throw new KagoError('wrong_state', 'the container ended meanwhile', { hint: 'try again' })
}

function isSame(a: fs.Stats, b: fs.Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino
}

function lockIn(fd: number): void {
  changeDirectory(fd)
  chroot('.')
  fs.closeSync(fd)
  process.chdir('/')
}

/** In the mount namespace that this program was started in for itself alone. */
function enterMounts({ at, mounts, binds }: Root & { by: 'mounts' }): void {
  const sources = binds
    .toSorted((a, b) => a.target.split('/').length - b.target.split('/').length)
    .flatMap((bind) => openBind(bind))
  for (const one of mounts) mountRoot(one, at)
  process.chdir(at)
  chroot('.')
  process.chdir('/')
  for (const { fd, bind, isDirectory } of sources) {
    attachBind(fd, bind, isDirectory)
    fs.closeSync(fd)
  }
}

function mountRoot({ type, source, options, from }: Mount, target: string): void {
  const isReadOnly = options.includes('ro')
  if (from !== undefined) process.chdir(from)
  if (type === 'bind') {
    mount({ source, target, type: '', flags: MS_BIND | MS_REC })
    if (isReadOnly) mount({ source: '', target, type: '', flags: MS_REMOUNT | MS_BIND | MS_RDONLY })
    return
  }
  const data = options.filter((option) => option !== 'ro' && option !== 'rw').join(',')
  mount({ source, target, type, flags: isReadOnly ? MS_RDONLY : 0, data })
}

function openBind(bind: Bind): { fd: number; bind: Bind; isDirectory: boolean }[] {
  if (bind.part !== undefined) return openPart(bind, bind.part)
  const found = fs.statSync(bind.source, { throwIfNoEntry: false })
  if (found === undefined) return []
  return [{ fd: cloneMount(bind.source), bind, isDirectory: found.isDirectory() }]
}

function openPart(bind: Bind, part: string): { fd: number; bind: Bind; isDirectory: boolean }[] {
  const base = fs.openSync(bind.source, O_PATH | fs.constants.O_DIRECTORY)
  try {
    const place = openBelow(base, part, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    const isDirectory = fs.fstatSync(place).isDirectory()
    const fd = cloneMount(`/proc/self/fd/${place}`)
    fs.closeSync(place)
    return [{ fd, bind, isDirectory }]
  } catch (error) {
    const code = errnoCode(error)
    // A start would be refused; here nothing shows there.
    if (code === 'ENOENT' || code === 'EXDEV' || code === 'ENOTDIR' || code === 'ELOOP') return []
    throw error
  } finally {
    fs.closeSync(base)
  }
}

/** As a start would: the place is made if it is missing. Where it cannot be made, nothing shows there. */
function attachBind(fd: number, { target, readOnly }: Bind, isDirectory: boolean): void {
  const place = openPlace(target) ?? (makePlace(target, isDirectory) ? openPlace(target) : undefined)
  if (place === undefined) return
  attachMount(fd, place)
  fs.closeSync(place)
  if (readOnly) mount({ source: '', target, type: '', flags: MS_REMOUNT | MS_BIND | MS_RDONLY })
}

function openPlace(target: string): number | undefined {
  const root = fs.openSync('/', O_PATH | fs.constants.O_DIRECTORY)
  try {
    return openBelow(root, target, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined
    throw error
  } finally {
    fs.closeSync(root)
  }
}

function makePlace(target: string, isDirectory: boolean): boolean {
  try {
    if (isDirectory) fs.mkdirSync(target, { recursive: true, mode: 0o755 })
    else {
      fs.mkdirSync(target.slice(0, target.lastIndexOf('/')) || '/', { recursive: true, mode: 0o755 })
      fs.closeSync(fs.openSync(target, 'a', 0o644))
    }
    return true
  } catch (error) {
    if (errnoCode(error) === 'EROFS') return false
    throw error
  }
}
