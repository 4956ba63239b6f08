/** The lines of the start script that mount: the base in one call, then what was asked for, then what hides. */
import { existsSync, statSync } from 'node:fs'
import type { LinuxDevice, Mount, RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'
import { plainPath, quote } from './quote.ts'

/** Where the kernel's own filesystems are; no image may have put a link there (CVE-2019-16884). */
const base = ['/proc', '/dev', '/sys']
const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
const links = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

/** Everything below /dev and /sys that kago itself mounts, and its files in /etc: one call of mount(8) for all. */
export function baseMountLines(spec: RuntimeSpec, root: string): string[] {
  const etc = spec.mounts.filter(isEtcFile)
  return [
    ...base.map((path) => `[ ! -L $root${path} ] || fail "the image has a link at ${path}"`),
    `[ -d $root/proc ] && [ -d $root/dev ] && [ -d $root/sys ] || mkdir -p $root/proc $root/dev $root/sys`,
    'mounted=; while read -r a b c d at rest; do [ "$at" != "$root" ] || mounted=1; done </proc/self/mountinfo',
    '[ -n "$mounted" ] || mount --bind "$root" "$root"',
    ...etc.flatMap(({ destination }, index) => [
      `inside ${quote(destination)}; file_at; at${index}=$at`,
      'case $at in *[!A-Za-z0-9/._:=@%+-]*) fail "the image has an odd link at $at" ;; esac',
    ]),
    ...mountTable([
      ...spec.mounts.filter(isBase).map((mount) => fstabLine(mount, root)),
      ...etc.map((mount, index) => `${plainPath(mount.source ?? '')} $at${index} none bind 0 0`),
    ]),
  ]
}

/** One call of mount(8) for all lines, from a file, since it reads its table from nothing else. */
function mountTable(lines: readonly string[]): string[] {
  return [
    'printf "%s\\n" >"$bundle/fstab" \\',
    ...lines.map((line, index) => `  "${line}"${index < lines.length - 1 ? ' \\' : ''}`),
    'mount --all --fstab "$bundle/fstab"',
  ]
}

/** /proc belongs to the process namespace, and the cgroup mount of v2 to the cgroup namespace: they come later. */
function isBase({ destination, type }: Mount): boolean {
  const isKernels =
    type !== 'bind' && (destination === '/sys' || destination === '/dev' || /^\/dev\//.test(destination))
  return isKernels && type !== 'cgroup'
}

function isEtcFile({ destination, type }: Mount): boolean {
  return type === 'bind' && ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'].includes(destination)
}

/** `x-mount.mkdir` makes the place: in /dev, which is new and empty. */
function fstabLine({ destination, type, source, options = [] }: Mount, root: string): string {
  const all = [
    ...options.filter((option) => option !== ''),
    ...(destination.startsWith('/dev/') ? ['x-mount.mkdir'] : []),
  ]
  return `${source ?? 'none'} ${plainPath(root + destination)} ${type} ${all.join(',') || 'defaults'} 0 0`
}

/** The host's own nodes are copied, links and all; a machine without the links gets them made. */
export function deviceLines(spec: RuntimeSpec, root: string): string[] {
  const linked = Object.keys(links).filter((name) => existsSync(`/dev/${name}`))
  const missing = Object.entries(links).filter(([name]) => !linked.includes(name))
  const copied = [...nodes, ...linked].map((name) => `/dev/${name}`).join(' ')
  return [
    `cp -a ${copied} ${root}/dev/`,
    ...missing.map(([name, target]) => `ln -s ${target} ${root}/dev/${name}`),
    `ln -s pts/ptmx ${root}/dev/ptmx`,
    ...(spec.process.terminal
      ? [`: >${root}/dev/console; mount --bind "$(readlink -f /proc/$$/fd/0)" ${root}/dev/console`]
      : []),
    ...(spec.linux.devices ?? []).flatMap((device) => nodeLines(device, root)),
  ]
}

function nodeLines(
  { path, type, major, minor, fileMode = 0o666, uid = 0, gid = 0 }: LinuxDevice,
  root: string,
): string[] {
  const mode = fileMode.toString(8)
  const numbers = type === 'p' ? 'p' : `${type} ${major} ${minor}`
  return [
    `inside ${quote(path)}; rm -f "$at"; mkdir -p "\${at%/*}"; mknod -m ${mode} "$at" ${numbers}`,
    ...(uid === 0 && gid === 0 ? [] : [`chown ${uid}:${gid} "$at"`]),
  ]
}

/** Binds and tmpfs of the person who runs it, one by one: each may lie in the one before. */
export function askedMountLines(spec: RuntimeSpec, root: string): string[] {
  const asked = spec.mounts.filter(
    (mount) =>
      !isBase(mount) && !isEtcFile(mount) && !['proc', 'cgroup', 'cgroup2'].includes(mount.type ?? ''),
  )
  return asked.flatMap((mount) => (mount.type === 'bind' ? bindLines(mount, root) : tmpfsLines(mount)))
}

function bindLines({ destination, source = '', options = [] }: Mount, _root: string): string[] {
  const isReadOnly = options.includes('ro')
  const flags = options.filter((option) => /^(ro|nosuid|nodev|noexec|noatime)$/.test(option))
  // of a read-only bind only the mount itself can be made read-only, so what lies below it is not taken along
  const how = options.includes('rbind') && !isReadOnly ? 'rbind' : 'bind'
  const from = quote(source)
  return [
    `[ -e ${from} ] || fail ${quote(`mounting "${source}" to rootfs at "${destination}": no such file or directory`)}`,
    `inside ${quote(destination)}; if [ -d ${from} ]; then directory_at; else file_at; fi`,
    `mount -o ${[how, 'rprivate', ...flags].join(',')} ${from} "$at"`,
  ]
}

function tmpfsLines({ destination, type = 'tmpfs', source = 'tmpfs', options = [] }: Mount): string[] {
  const words = options.filter((option) => option !== '' && !/^r?private$/.test(option))
  return [
    `inside ${quote(destination)}; directory_at`,
    `mount -t ${quote(type)} ${words.length > 0 ? `-o ${quote(words.join(','))} ` : ''}${quote(source)} "$at"`,
  ]
}

/** Inside the process namespace: /proc, the cgroup mount of v2, what is hidden and what may only be read. */
export function insideMountLines(
  spec: RuntimeSpec,
  root: string,
  programMounts: readonly string[],
): string[] {
  const late = spec.mounts.filter(({ type }) => type === 'proc' || type === 'cgroup')
  const hidden = (spec.linux.maskedPaths ?? []).filter((path) => hasPlace(path))
  const readOnly = (spec.linux.readonlyPaths ?? []).filter((path) => hasPlace(path))
  return mountTable([
    // the host's programs that run in here could otherwise be opened for writing as /proc/PID/exe
    ...programMounts.map((path) => `none ${path} none remount,bind,ro 0 0`),
    ...late.flatMap((mount) => lateMount(mount, spec, root)),
    ...readOnly.map((path) => `${root}${path} ${root}${path} none bind,ro,nosuid,nodev,noexec 0 0`),
    ...hidden.map((path) =>
      isDirectory(path)
        ? `tmpfs ${root}${path} tmpfs ro,nosuid,nodev,noexec,size=4k 0 0`
        : `${root}/dev/null ${root}${path} none bind 0 0`,
    ),
  ])
}

/** v1 without a cgroup namespace: the container sees no cgroup files, as it could tell nothing of use from them. */
function lateMount(mount: Mount, spec: RuntimeSpec, root: string): string[] {
  if (mount.type === 'proc') return [fstabLine(mount, root)]
  const hasNamespace = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  return hasNamespace ? [fstabLine({ ...mount, type: 'cgroup2' }, root)] : []
}

/** Whether this kernel has the file: the container's /proc and /sys are made by the same one. */
export function hasPlace(path: string): boolean {
  return existsSync(path)
}

function isDirectory(path: string): boolean {
  return statSync(path).isDirectory()
}
