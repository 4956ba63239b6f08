/** What is mounted where in the container, in the order of mounting. */
import { posix } from 'node:path'
import { KagoError } from '../../../shared/errors.ts'
import type { Mount } from '../../../shared/oci/runtime-spec.ts'
import type { MountOption, TmpfsOption } from '../run-options.ts'
import type { SpecInput } from './input.ts'
import { initDestination } from './process.ts'

const defaultShmSizeBytes = 64 * 1024 * 1024

/**
 * The defaults, then what was asked for, then the etc files: where the image has a link at their place, it may lead
 * into something that was asked for. A mount asked for replaces one of kago's own at its place.
 */
export function buildMounts(input: SpecInput): Mount[] {
  const asked = [
    ...input.options.mounts.map((mount) => askedMount(mount, input.host.recursiveReadOnly)),
    ...input.options.tmpfs.map(tmpfsMount),
  ]
  refuseTwice(asked)
  const isFree = (mount: Mount) => !asked.some((other) => other.destination === mount.destination)
  // a parent before what lies in it; the sort is stable, so the rest keeps its order
  const byDepth = asked.toSorted((a, b) => depth(a.destination) - depth(b.destination))
  return [
    ...defaultMounts(input).filter(isFree),
    ...byDepth,
    ...etcMounts(input).filter((mount) => isFree(mount) && !asked.some(isReadOnlyEtc)),
    ...initMount(input),
  ]
}

function defaultMounts(input: SpecInput): Mount[] {
  const mode = input.options.privileged ? 'rw' : 'ro'
  const shmSize = input.options.shmSizeBytes ?? defaultShmSizeBytes
  const guarded = ['nosuid', 'noexec', 'nodev']
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: guarded },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...guarded, mode] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [mode, ...guarded] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: guarded },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...guarded, 'mode=1777', `size=${shmSize}`],
    },
  ]
}

function etcMounts({ etcFiles }: SpecInput): Mount[] {
  const files = [
    ['/etc/resolv.conf', etcFiles.resolvConf],
    ['/etc/hostname', etcFiles.hostname],
    ['/etc/hosts', etcFiles.hosts],
  ] as const
  return files.flatMap(([destination, source]) =>
    source === undefined ? [] : [{ destination, type: 'bind', source, options: ['rbind', 'rprivate'] }],
  )
}

/** Nothing can be made in it to mount over, and who brings such a one brings the files. */
function isReadOnlyEtc({ destination, options = [] }: Mount): boolean {
  return destination === '/etc' && options.includes('ro')
}

function initMount(input: SpecInput): Mount[] {
  if (!input.options.init) return []
  if (input.initPath === undefined) {
    throw new KagoError('not_supported', '--init needs kago-init, which is not installed', {
      hint: 'build it with: make -C daemon/runtime/init',
    })
  }
  return [
    {
      destination: initDestination,
      type: 'bind',
      source: input.initPath,
      options: ['bind', 'ro', 'nosuid', 'nodev'],
    },
  ]
}

function askedMount(mount: MountOption, recursiveReadOnly: boolean): Mount {
  const destination = mountDestination(mount.target)
  if (mount.type === 'tmpfs') {
    const options = [
      'nosuid',
      'nodev',
      'noexec',
      ...(mount.readOnly ? ['ro'] : []),
      ...(mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`]),
      ...(mount.mode === undefined ? [] : [`mode=${mount.mode.toString(8)}`]),
    ]
    return { destination, type: 'tmpfs', source: 'tmpfs', options }
  }
  const source = mount.source
  if (source === undefined || !source.startsWith('/') || source.includes('\0')) {
    throw new KagoError(
      'invalid_argument',
      `the source of the mount at ${mount.target} is not an absolute path`,
    )
  }
  const propagation = mount.propagation ?? 'rprivate'
  const bind = mount.recursive === 'disabled' ? 'bind' : 'rbind'
  return {
    destination,
    type: 'bind',
    source,
    options: [bind, propagation, ...readOnlyOptions(mount, recursiveReadOnly)],
  }
}

function readOnlyOptions({ readOnly, recursive, target }: MountOption, isPossible: boolean): string[] {
  if (recursive === 'readonly' && !isPossible) {
    throw new KagoError('not_supported', `the bind at ${target} cannot be read-only all the way down here`, {
      hint: 'that needs Linux 5.12; leave out bind-recursive=readonly',
    })
  }
  if (!readOnly) return []
  const goesDown = isPossible && recursive !== 'writable' && recursive !== 'disabled'
  return goesDown ? ['ro', 'rro'] : ['ro']
}

function tmpfsMount({ target, options }: TmpfsOption): Mount {
  const asked = options === '' ? [] : options.split(',')
  const bad = asked.find((option) => !tmpfsOption.test(option))
  if (bad !== undefined) {
    throw new KagoError(
      'invalid_argument',
      `tmpfs option ${JSON.stringify(bad)} of ${target} is not allowed`,
      {
        hint: 'use size=, mode=, uid=, gid=, nr_inodes=, nr_blocks=, or flags as ro, exec, nosuid',
      },
    )
  }
  return {
    destination: mountDestination(target),
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'noexec', ...asked],
  }
}

const tmpfsOption =
  /^((size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9]+[kKmMgG%]?|mpol=[a-z0-9:,=-]+|huge=[a-z_]+|ro|rw|(no)?(suid|dev|exec|atime|diratime|relatime|strictatime|lazytime)|relatime|strictatime|r?private)$/

/**
 * Absolute, cleaned, not the root, and nothing in /proc: a mount there could fool the runtime about what it confines
 * (CVE-2019-16884).
 */
function mountDestination(target: string): string {
  if (!target.startsWith('/') || target.includes('\0')) {
    throw new KagoError('invalid_argument', `mount target ${JSON.stringify(target)} is not an absolute path`)
  }
  const clean = posix.normalize(target).replace(/\/+$/, '')
  if (clean === '')
    throw new KagoError('invalid_argument', 'the root of a container cannot be a mount target')
  if (clean === '/proc' || clean.startsWith('/proc/')) {
    throw new KagoError('invalid_argument', `mount target ${target} is inside /proc`, {
      hint: 'mount it elsewhere; set kernel parameters with --sysctl',
    })
  }
  return clean
}

function refuseTwice(mounts: Mount[]): void {
  const seen = new Set<string>()
  for (const { destination } of mounts) {
    if (seen.has(destination))
      throw new KagoError('invalid_argument', `two mounts have the target ${destination}`)
    seen.add(destination)
  }
}

function depth(path: string): number {
  return path.split('/').length
}
