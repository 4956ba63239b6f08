/**
 * A bundle's config.json as a shell script that starts the container with util-linux. The script is meant to be read:
 * it is what `kago explain --as sh` prints, and it is what runs.
 *
 * The difficulty it turns around: the last program before the container's must give up root's power, but once the root
 * is the container's, no program of the host is there to do it. So the container's first process, already without power
 * and in its new namespaces, waits as a shell of the host while another changes the root of both (pivot_root(2) moves
 * every process of the mount namespace), takes the old root away, and then lets it go on.
 */
import type { Process } from '../../../shared/oci/runtime-spec.ts'
import { noRlimit } from '../spec/rlimits.ts'
import { cgroupLines, joinLines } from './cgroup-lines.ts'
import { askedMountLines, baseMountLines, deviceLines, insideMountLines } from './mount-lines.ts'
import type { ScriptInput } from './script-input.ts'
import { plainPath, quote } from './quote.ts'
import { allowsAllDevices } from './refuse.ts'

/** The script of a start. Its arguments: the pid file, and later the stage. */
export function startScript(input: ScriptInput): string {
  const { bundle, spec, host } = input
  const root = plainPath(`${bundle}/rootfs`)
  const unshareCgroup = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  return lines(
    '#!/bin/sh',
    `# Starts container ${input.id} as process 1 of new namespaces. Run by kago-shim, in its private mount namespace, as:`,
    `#   env -i PATH=$PATH LC_ALL=C unshare --uts --ipc --net busybox sh ${bundle}/start.sh PIDFILE`,
    'set -eu',
    'pidfile=$1',
    `bundle=${plainPath(bundle)} name=start root=${root}`,
    failFunction,
    '',
    'if [ "${2-}" != inside ]; then',
    'trap \'[ $? = 0 ] || echo "the container could not be set up" >&6\' EXIT',
    '',
    '# ── the machine’s messages go to a log, the container’s standard error waits on descriptor 6',
    'exec 6>&2 2>>"$bundle/runtime.log"',
    '',
    '# ── control group: this shell enters it, and so all that follows is in it',
    ...cgroupLines(input),
    '',
    '# ── what belongs to the new UTS, network and IPC namespaces',
    `printf %s ${quote(spec.hostname)} >/proc/sys/kernel/hostname`,
    ...(spec.linux.namespaces.some(({ type, path }) => type === 'network' && path === undefined)
      ? ['ifconfig lo up']
      : []),
    ...Object.entries(spec.linux.sysctl ?? {}).map(
      ([name, value]) => `printf %s ${quote(value)} >${quote(`/proc/sys/${name.replaceAll('.', '/')}`)}`,
    ),
    '',
    '# ── the filesystem, seen by this and the shim alone',
    insideFunction,
    ...baseMountLines(spec, host.mount),
    ...deviceLines(spec),
    ...askedMountLines(spec),
    ...rootOptions(input),
    '',
    '# ── two pipes with names: up, from the container’s first process to here, and down',
    'rm -f "$bundle/$name.up" "$bundle/$name.down"',
    'mkfifo "$bundle/$name.up" "$bundle/$name.down"',
    `exec ${host.unshare} --mount --propagation private --pid${unshareCgroup ? ' --cgroup' : ''} \\`,
    `  ${host.busybox} sh "$0" "$pidfile" inside`,
    'fi',
    '',
    ...insideLines(input, spec.process),
  )
}

export interface ExecScriptInput extends ScriptInput {
  process: Process
  /** Host pid of the container's first process, and of the shim, whose mounts are those of the container. */
  pid: number
  shimPid: number
  /** Names the files of this exec. */
  name: string
}

/** The script of an exec: the same end, in namespaces that are there already. */
export function execScript(input: ExecScriptInput): string {
  const { bundle, host, name, pid, spec } = input
  const cgroup = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  return lines(
    '#!/bin/sh',
    `# Runs a further process in container ${input.id}. Run by kago-shim as:`,
    `#   env -i PATH=$PATH LC_ALL=C ${execEntry(input).join(' ')} busybox sh ${bundle}/${name}.sh PIDFILE`,
    'set -eu',
    'pidfile=$1',
    `bundle=${plainPath(bundle)} name=${name} root=${plainPath(`${bundle}/rootfs`)}`,
    failFunction,
    '',
    'if [ "${2-}" != inside ]; then',
    'exec 6>&2 2>>"$bundle/runtime.log"',
    '# ── into the control group',
    ...joinLines(input),
    'rm -f "$bundle/$name.up" "$bundle/$name.down"',
    'mkfifo "$bundle/$name.up" "$bundle/$name.down"',
    '# ── into the process namespace; the mounts are a copy, so that the root can be changed again',
    `exec ${host.nsenter} --no-fork --pid=/proc/${pid}/ns/pid${cgroup ? ` --cgroup=/proc/${pid}/ns/cgroup` : ''} \\`,
    `  ${host.unshare} --mount --propagation private ${host.busybox} sh "$0" "$pidfile" inside`,
    'fi',
    '',
    ...insideLines(input, input.process),
  )
}

/** The program and arguments that enter the container's namespaces before the exec script runs. */
export function execEntry({ pid, shimPid }: { pid: number; shimPid: number }): string[] {
  const own = `/proc/${pid}/ns`
  return [
    'nsenter',
    `--mount=/proc/${shimPid}/ns/mnt`,
    `--uts=${own}/uts`,
    `--ipc=${own}/ipc`,
    `--net=${own}/net`,
  ]
}

const failFunction = 'fail() { echo "$*" >&2; exit 125; }'

/** Resolves a path as the kernel would after a chroot into $root: no link of the image leads out of it. */
const insideFunction = String.raw`inside() {
  rest=$1 at= hops=0
  while [ -n "$rest" ]; do
    while [ "$rest" != "${'$'}{rest#/}" ]; do rest=${'$'}{rest#/}; done
    part=${'$'}{rest%%/*}
    case $rest in */*) rest=/${'$'}{rest#*/} ;; *) rest= ;; esac
    case $part in
    '' | .) ;;
    ..) at=${'$'}{at%/*} ;;
    *)
      if [ -L "$root$at/$part" ]; then
        hops=$((hops + 1))
        [ $hops -le 40 ] || fail "too many links in $1"
        link=$(readlink -n "$root$at/$part" && echo .)
        link=${'$'}{link%?}
        case $link in /*) at= ;; esac
        rest=/$link$rest
      else
        at=$at/$part
      fi
      ;;
    esac
  done
  at=$root$at
}
directory_at() { [ -d "$at" ] || mkdir -p "$at"; }
file_at() { [ -e "$at" ] || { mkdir -p "${'$'}{at%/*}" && : >"$at"; }; }`

function rootOptions({ spec, host }: ScriptInput): string[] {
  const options = [
    ...(spec.root.readonly ? ['ro'] : []),
    ...(host.layout.version === 2 && !allowsAllDevices(spec) ? ['nodev'] : []),
  ]
  return options.length === 0 ? [] : [`mount -o remount,bind,${options.join(',')} none "$root"`]
}

/** From here on in the container's mount and process namespaces; the same for start and exec. */
function insideLines(input: ScriptInput, process: Process): string[] {
  const { spec, host } = input
  const isExec = process !== spec.process
  return [
    '# ── second stage: in the mount and process namespaces of the container, with the host’s programs still there.',
    '# Descriptors: 3 the container’s input, 6 its errors; 4 and 7 the ends of “up”, 5 and 8 those of “down”',
    'exec 3<&0',
    'exec 9<>"$bundle/$name.up"; exec 4<"$bundle/$name.up" 7>"$bundle/$name.up"',
    'exec 9<>"$bundle/$name.down"; exec 5>"$bundle/$name.down" 8<"$bundle/$name.down"',
    'exec 9<"$bundle/$name-enter.sh"',
    '',
    '# ── the first child is the container’s process 1; its parent will be the shim when this script has ended',
    '(',
    '  exec 4<&- 5>&-',
    ...(process.oomScoreAdj === undefined ? [] : [`  echo ${process.oomScoreAdj} >/proc/self/oom_score_adj`]),
    ...insideMountLines(spec, host.mount).map((line) => `  ${line}`),
    `  exec ${enterCommand(input, process)} ${host.busybox} sh /proc/self/fd/9`,
    ') <&3 3<&- &',
    'child=$!',
    'exec 7>&- 8<&- 9<&- 3<&-',
    'echo "$child" >"$pidfile"',
    ...(!isExec ? ['echo "$child" >"$bundle/unshare.pid"'] : []),
    '',
    'end() { trap - EXIT; kill -9 "$child" 2>/dev/null || :; exit "$1"; }',
    'trap "end 125" EXIT',
    'read -r word <&4 || end 125',
    `rm -f "$bundle/$name.up" "$bundle/$name.down" "$bundle/$name.fstab"${isExec ? ' "$bundle/$name-enter.sh" "$0"' : ''}`,
    '',
    '# ── this shell’s program could otherwise be opened for writing by the container, as /proc/PID/exe',
    ...host.programMounts.map((path) => `mount -o remount,bind,ro none ${quote(path)}`),
    '',
    '# ── the new root; the old one is parked on /proc until it is let go',
    'cd "$root"',
    'pivot_root . ./proc',
    'cd /',
    'umount -l /proc',
    '',
    '# ── it may go on, and says whether the command can be executed',
    'echo go >&5',
    'read -r code text <&4 || end 125',
    'if [ "$code" != 0 ]; then echo "$text" >&2; end "$code"; fi',
    'trap - EXIT',
    'exit 0',
  ]
}

/** The programs between root's power and the container's: session and terminal, limits, then identity and capabilities. */
function enterCommand({ host, spec }: ScriptInput, process: Process): string {
  const limits = (process.rlimits ?? []).map(({ type, soft, hard }) => {
    const text = (value: number): string => (value >= noRlimit ? 'unlimited' : String(value))
    return `--${type.slice('RLIMIT_'.length).toLowerCase()}=${text(soft)}:${text(hard)}`
  })
  const { uid, gid, additionalGids = [] } = process.user
  const withoutRules = host.layout.version === 2 && !allowsAllDevices(spec)
  const bounding = (process.capabilities?.bounding ?? []).filter(
    (cap) => !(withoutRules && cap === 'CAP_MKNOD'),
  )
  return [
    `setsid${process.terminal ? ' -c' : ''}`,
    ...(limits.length === 0 ? [] : [`${host.prlimit} ${limits.join(' ')}`]),
    host.setpriv,
    `--reuid ${uid} --regid ${gid}`,
    additionalGids.length === 0 ? '--clear-groups' : `--groups ${additionalGids.join(',')}`,
    '--inh-caps=-all --ambient-caps=-all',
    `--bounding-set=${['-all', ...bounding.map((cap) => `+${cap.slice('CAP_'.length).toLowerCase()}`)].join(',')}`,
    ...(process.noNewPrivileges ? ['--no-new-privs'] : []),
  ].join(' ')
}

function lines(...parts: readonly string[]): string {
  return `${parts.join('\n')}\n`
}
