/** What a container of the unshare runtime cannot have, and what it goes without. */
import { KagoError } from '../../../shared/errors.ts'
import type { Process, RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'
import { isShellName } from './quote.ts'

export function refuseSpec(spec: RuntimeSpec): void {
  const { linux, mounts } = spec
  const foreign = linux.namespaces.find(
    ({ type, path }) => type === 'user' || type === 'time' || (path !== undefined && type !== 'network'),
  )
  if (foreign) lacks(`the ${foreign.type} namespace asked for`)
  for (const type of ['mount', 'pid', 'uts', 'ipc'] as const) {
    if (!linux.namespaces.some((namespace) => namespace.type === type))
      lacks(`running without a ${type} namespace`)
  }
  const open = mounts.find(({ options = [] }) => options.some((option) => /^r?(shared|slave)$/.test(option)))
  if (open) lacks(`mount propagation other than private (at ${open.destination})`)
  if (linux.resources?.unified !== undefined) lacks('raw cgroup files')
  refuseProcess(spec.process)
}

export function refuseProcess(process: Process): void {
  if (process.apparmorProfile !== undefined) lacks('AppArmor profiles')
  const { inheritable = [], ambient = [] } = process.capabilities ?? {}
  if (inheritable.length + ambient.length > 0) lacks('inheritable and ambient capabilities')
  const odd = process.env.map((entry) => entry.split('=', 1)[0] ?? '').find((name) => !isShellName(name))
  if (odd !== undefined)
    lacks(`passing the environment variable ${JSON.stringify(odd)}, whose name no shell can hold`)
}

function lacks(what: string): never {
  throw new KagoError('not_supported', `the unshare runtime cannot do this: ${what}`, {
    hint: 'use --runtime runc',
  })
}

/** `cgroupVersion` 2 has no device rules that a shell could write: they are programs for the kernel. */
export function noticesOf(spec: RuntimeSpec, cgroupVersion: 1 | 2): string[] {
  const notices: string[] = []
  if (spec.linux.seccomp !== undefined) {
    notices.push('no system call is filtered: setpriv of this util-linux has no --seccomp-filter')
  }
  if (cgroupVersion === 2 && !allowsAllDevices(spec)) {
    notices.push(
      'without device rules (cgroup v2) the container cannot make device nodes: CAP_MKNOD is dropped',
    )
  }
  if (spec.mounts.some(({ options = [] }) => options.includes('rbind') && options.includes('ro'))) {
    notices.push('a read-only bind shows only the mount itself, not what is mounted below it')
  }
  return notices
}

export function allowsAllDevices(spec: RuntimeSpec): boolean {
  return spec.linux.resources?.devices?.[0]?.allow !== false
}
