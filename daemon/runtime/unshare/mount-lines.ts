/** The lines of the start script that mount: the kernel's filesystems, what was asked for, what is hidden. */
import { existsSync, statSync } from 'node:fs'
import { KagoError } from '../../../shared/errors.ts'
import type { LinuxDevice, Mount, RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'
import { plainPath, quote } from './quote.ts'

/** Where the kernel's own filesystems go; no image may have put a link there (CVE-2019-16884). */
const base = ['/proc', '/dev', '/sys']
const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
const links = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

/** The root, everything below /dev and /sys that kago itself mounts, and its files in /etc. */
export function baseMountLines(spec: RuntimeSpec, mount: string): string[] {
  const etc = spec.mounts.filter(isEtcFile)
  return [
    `for path in ${base.map((path) => path.slice(1)).join(' ')}; do`,
    '  [ ! -L "$root/$path" ] || fail "the image has a link at /$path"',
    'done',
    'mkdir -p "$root/proc" "$root/dev" "$root/sys"',
    ...etc.flatMap(({ destination }, index) => [
      `inside ${quote(destination)}; file_at; at${index}=$at`,
      'case $at in *[!A-Za-z0-9/._:=@%+-]*) fail "the image has an odd link at $at" ;; esac',
    ]),
    '# a new root must be a mount, and what is changed of this one (ro, nodev) changes no other',
    ...mountTable(mount, [
      '$root $root none bind',
      ...spec.mounts.filter(isBase).map(tableLine),
      ...etc.map(({ source = '' }, index) => `${plainPath(source)} $at${index} none bind`),
    ]),
  ]
}

/** /proc belongs to the process namespace, and the cgroup mount of v2 to the cgroup namespace: they come later. */
function isBase({ destination, type }: Mount): boolean {
  const isKernels = destination === '/sys' || destination === '/dev' || destination.startsWith('/dev/')
  return isKernels && type !== 'bind' && type !== 'cgroup'
}

function isEtcFile({ destination, type }: Mount): boolean {
  return type === 'bind' && ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'].includes(destination)
}

/** One call of util-linux's mount for all lines: it reads a table from a file only. */
function mountTable(mount: string, lines: readonly string[]): string[] {
  return [
    `printf '%s 0 0\\n' \\\n${lines.map((line) => `  "${line}" \\\n`).join('')}  >"$bundle/$name.fstab"`,
    `${mount} --all --fstab "$bundle/$name.fstab"`,
  ]
}

function tableLine({ destination, type = 'none', source = 'none', options = [] }: Mount): string {
  const made = destination.startsWith('/dev/') ? ['x-mount.mkdir'] : []
  const flags = [...options.filter((option) => option !== '' && !/^r?private$/.test(option)), ...made]
  return `${source} $root${plainPath(destination)} ${type} ${flags.map(plainOption).join(',') || 'defaults'}`
}

/** What a table and a shell's double quotes take as it is; all that kago writes itself is of that kind. */
function plainOption(option: string): string {
  if (/^[A-Za-z0-9_.:=/%-]+$/.test(option)) return option
  throw new KagoError(
    'not_supported',
    `the unshare runtime cannot use the mount option ${JSON.stringify(option)}`,
  )
}

/** For busybox's mount, which knows no word for strictatime; and here everything is private already. */
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

/** Binds and tmpfs, one by one: each may lie in the one before. */
export function askedMountLines(spec: RuntimeSpec): string[] {
  const asked = spec.mounts.filter(
    (mount) =>
      !isBase(mount) && !isEtcFile(mount) && !['proc', 'cgroup', 'cgroup2'].includes(mount.type ?? ''),
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
export function insideMountLines(spec: RuntimeSpec, mount: string): string[] {
  const hidden = (spec.linux.maskedPaths ?? []).filter((path) => existsSync(path)).map(plainPath)
  const readOnly = (spec.linux.readonlyPaths ?? []).filter((path) => existsSync(path)).map(plainPath)
  return mountTable(mount, [
    ...spec.mounts.flatMap((each) => lateMount(each, spec)),
    ...readOnly.map((path) => `$root${path} $root${path} none bind,ro,nosuid,nodev,noexec`),
    ...hidden.map((path) =>
      isDirectory(path)
        ? `tmpfs $root${path} tmpfs ro,nosuid,nodev,noexec,size=4k`
        : `$root/dev/null $root${path} none bind`,
    ),
  ])
}

/** v1 without a cgroup namespace: the container sees no cgroup files, as it could tell nothing of use from them. */
function lateMount(mount: Mount, spec: RuntimeSpec): string[] {
  if (mount.type === 'proc') return [tableLine(mount)]
  const hasNamespace = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  return mount.type === 'cgroup' && hasNamespace ? [tableLine({ ...mount, type: 'cgroup2' })] : []
}

/** This kernel's /proc and /sys are also the container's. */
function isDirectory(path: string): boolean {
  return statSync(path).isDirectory()
}
