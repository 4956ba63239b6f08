/** Looks up device nodes of the host for --device and --privileged. */
import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { DeviceOption } from './run-options.ts'
import type { SpecDevice } from './spec/input.ts'

/** Not handed on: they are mounts or belong to one terminal, and the container has its own. */
const ownDirectories = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'])
const ownNodes = new Set(['/dev/console', '/dev/ptmx'])

/** The nodes behind --device; a directory stands for all nodes in it. */
export function resolveDevices(asked: readonly DeviceOption[]): SpecDevice[] {
  return asked.flatMap(({ hostPath, containerPath, permissions }) => {
    if (!/^[rwm]{1,3}$/.test(permissions)) {
      throw new KagoError(
        'invalid_argument',
        `device permissions ${JSON.stringify(permissions)} are not a set of r, w, m`,
      )
    }
    if (!posix.isAbsolute(containerPath)) {
      throw new KagoError('invalid_argument', `device path ${containerPath} is not absolute`)
    }
    const destination = posix.normalize(containerPath)
    const stats = statDevice(hostPath)
    if (!stats.isDirectory()) return [describe(stats, hostPath, destination, permissions)]
    return nodesBelow(hostPath).map(([path, found]) =>
      describe(found, path, join(destination, path.slice(hostPath.length)), permissions),
    )
  })
}

/** Every device node of the host's /dev, for --privileged. */
export function listHostDevices(): SpecDevice[] {
  return nodesBelow('/dev')
    .filter(([path]) => !ownNodes.has(path))
    .map(([path, stats]) => describe(stats, path, path, 'rwm'))
}

function nodesBelow(directory: string): [string, BigIntStats][] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry): [string, BigIntStats][] => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return ownDirectories.has(entry.name) ? [] : nodesBelow(path)
    return entry.isCharacterDevice() || entry.isBlockDevice()
      ? [[path, lstatSync(path, { bigint: true })]]
      : []
  })
}

function statDevice(path: string): BigIntStats {
  try {
    return statSync(path, { bigint: true })
  } catch (error) {
    throw new KagoError('not_found', `there is no device ${path} on the host`, { cause: error })
  }
}

function describe(stats: BigIntStats, hostPath: string, path: string, access: string): SpecDevice {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) {
    throw new KagoError('invalid_argument', `${hostPath} is not a device`)
  }
  return {
    path,
    type: stats.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(stats.rdev),
    fileMode: Number(stats.mode & 0o777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    access,
  }
}

/** The kernel's 32 + 32 bits in glibc's encoding (sys/sysmacros.h). */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn)),
  }
}
