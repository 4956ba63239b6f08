/** The lines of the start script that mount: the kernel's filesystems, what was asked for, what is hidden. */
import { existsSync, statSync } from 'node:fs'
import type { LinuxDevice, Mount, RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'
import { quote } from './quote.ts'

/** Where the kernel's own filesystems go; no image may have put a link there (CVE-2019-16884). */
const base = ['/proc', '/dev', '/sys']
const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
const links = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

/** The root, and everything below /dev and /sys that kago itself mounts. */
export function baseMountLines(spec: RuntimeSpec): string[] {
  return [
    `for path in ${base.map((path) => path.slice(1)).join(' ')}; do`,
    '  [ ! -L "$root/$path" ] || fail "the image has a link at /$path"',
    'done',
    'mkdir -p "$root/proc" "$root/dev" "$root/sys"',
    '# a new root must be a mount, and what is changed of this one (ro, nodev) changes no other',
    'mount -o bind "$root" "$root"',
    ...spec.mounts.filter(isBase).flatMap(mountLines),
  ]
}

/** /proc belongs to the process namespace, and the cgroup mount of v2 to the cgroup namespace: they come later. */
function isBase({ destination, type }: Mount): boolean {
  const isKernels = destination === '/sys' || destination === '/dev' || destination.startsWith('/dev/')
  return isKernels && type !== 'bind' && type !== 'cgroup'
}

function mountLines({ destination, type = 'none', source = 'none', options = [] }: Mount): string[] {
  const target = `"$root"${quote(destination)}`
  const inDev = destination.startsWith('/dev/')
  const flags = words(options)
  return [
    ...(inDev ? [`mkdir -p ${target}`] : []),
    `mount -t ${quote(type)} ${flags === '' ? '' : `-o ${quote(flags)} `}${quote(source)} ${target}`,
  ]
}

/** busybox's mount knows no word for strictatime, and here everything is private already. */
function words(options: readonly string[]): string {
  return options
    .filter((option) => option !== '' && option !== 'strictatime' && !/^r?private$/.test(option))
    .join(',')
}

/** The host's own nodes are copied, links and all; a machine without the links gets them made. */
export function deviceLines(spec: RuntimeSpec): string[] {
  const linked = Object.keys(links).filter((name) => existsSync(`/dev/${name}`))
  const missing = Object.entries(links).filter(([name]) => !linked.includes(name))
  const copied = [...nodes, ...linked].map((name) => `/dev/${name}`).join(' ')
  return [
    `cp -a ${copied} "$root/dev/"`,
    ...missing.map(([name, target]) => `ln -s ${target} "$root/dev/${name}"`),
    'ln -s pts/ptmx "$root/dev/ptmx"',
    ...(spec.process.terminal
      ? [': >"$root/dev/console"', 'mount -o bind "$(readlink -f /proc/$$/fd/0)" "$root/dev/console"']
      : []),
    ...(spec.linux.devices ?? []).flatMap(nodeLines),
  ]
}

function nodeLines({ path, type, major, minor, fileMode = 0o666, uid = 0, gid = 0 }: LinuxDevice): string[] {
  const numbers = type === 'p' ? 'p' : `${type} ${major} ${minor}`
  return [
    `inside ${quote(path)}; rm -f "$at"; mkdir -p "\${at%/*}"; mknod -m ${fileMode.toString(8)} "$at" ${numbers}`,
    ...(uid === 0 && gid === 0 ? [] : [`chown ${uid}:${gid} "$at"`]),
  ]
}

/** Files in /etc, binds and tmpfs, one by one: each may lie in the one before. */
export function askedMountLines(spec: RuntimeSpec): string[] {
  const asked = spec.mounts.filter(
    (mount) => !isBase(mount) && !['proc', 'cgroup', 'cgroup2'].includes(mount.type ?? ''),
  )
  return asked.flatMap((mount) => (mount.type === 'bind' ? bindLines(mount) : tmpfsLines(mount)))
}

function bindLines({ destination, source = '', options = [] }: Mount): string[] {
  const isReadOnly = options.includes('ro')
  const flags = options.filter((option) => /^(ro|nosuid|nodev|noexec|noatime)$/.test(option))
  // of a read-only bind only the mount itself can be made read-only, so what lies below it is not taken along
  const how = options.includes('rbind') && !isReadOnly ? 'rbind' : 'bind'
  const from = quote(source)
  return [
    `[ -e ${from} ] || fail ${quote(`mounting "${source}" to rootfs at "${destination}": no such file or directory`)}`,
    `inside ${quote(destination)}; if [ -d ${from} ]; then directory_at; else file_at; fi`,
    `mount -o ${how} ${from} "$at"`,
    ...(flags.length > 0 ? [`mount -o remount,bind,${flags.join(',')} none "$at"`] : []),
  ]
}

function tmpfsLines({ destination, type = 'tmpfs', source = 'tmpfs', options = [] }: Mount): string[] {
  const flags = words(options)
  return [
    `inside ${quote(destination)}; directory_at`,
    `mount -t ${quote(type)} ${flags === '' ? '' : `-o ${quote(flags)} `}${quote(source)} "$at"`,
  ]
}

/** Inside the process namespace: /proc, the cgroup mount of v2, what is hidden and what may only be read. */
export function insideMountLines(spec: RuntimeSpec): string[] {
  const late = spec.mounts.filter(({ type }) => type === 'proc' || type === 'cgroup')
  const hidden = (spec.linux.maskedPaths ?? []).filter((path) => existsSync(path))
  const readOnly = (spec.linux.readonlyPaths ?? []).filter((path) => existsSync(path))
  return [
    ...late.flatMap((mount) => lateMount(mount, spec)),
    ...eachPath(readOnly, [
      'mount -o bind "$root$path" "$root$path"',
      'mount -o remount,bind,ro,nosuid,nodev,noexec none "$root$path"',
    ]),
    ...eachPath(
      hidden.filter((path) => !isDirectory(path)),
      ['mount -o bind "$root/dev/null" "$root$path"'],
    ),
    ...eachPath(hidden.filter(isDirectory), [
      'mount -t tmpfs -o ro,nosuid,nodev,noexec,size=4k tmpfs "$root$path"',
    ]),
  ]
}

function eachPath(paths: readonly string[], body: readonly string[]): string[] {
  if (paths.length === 0) return []
  return [`for path in ${paths.map(quote).join(' ')}; do`, ...body.map((line) => `  ${line}`), 'done']
}

/** v1 without a cgroup namespace: the container sees no cgroup files, as it could tell nothing of use from them. */
function lateMount(mount: Mount, spec: RuntimeSpec): string[] {
  if (mount.type === 'proc') return mountLines(mount)
  const hasNamespace = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  return hasNamespace ? mountLines({ ...mount, type: 'cgroup2' }) : []
}

/** This kernel's /proc and /sys are also the container's. */
function isDirectory(path: string): boolean {
  return statSync(path).isDirectory()
}
