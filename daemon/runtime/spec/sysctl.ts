/** Kernel parameters of the container's own namespaces; one of the whole machine is refused. */
import { KagoError } from '../../../shared/errors.ts'
import type { SpecInput } from './input.ts'

const ofIpcNamespace = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
])

/**
 * What was asked for and, in a network namespace of its own, Docker's two defaults: any user may ping and may listen on
 * any port, since neither reaches beyond the container.
 */
export function sysctls(input: SpecInput): Record<string, string> {
  const hasOwnNetwork = input.networkMode !== 'host'
  const defaults: Record<string, string> =
    hasOwnNetwork && input.host.unprivilegedNetworkSysctls
      ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
      : {}
  for (const name of Object.keys(input.options.sysctls)) check(name, hasOwnNetwork)
  return { ...defaults, ...input.options.sysctls }
}

function check(name: string, hasOwnNetwork: boolean): void {
  if (!/^[a-z0-9_]+([./][A-Za-z0-9_-]+)+$/.test(name)) {
    throw new KagoError('invalid_argument', `sysctl ${JSON.stringify(name)} is not a parameter's name`, {
      hint: 'write it as net.ipv4.ip_forward=1',
    })
  }
  if (ofIpcNamespace.has(name) || name.startsWith('fs.mqueue.')) return
  if (name.startsWith('net.')) {
    if (hasOwnNetwork) return
    throw new KagoError('invalid_argument', `sysctl ${name} cannot be set with the host's network`, {
      hint: 'set it on the host, or use --network none',
    })
  }
  throw new KagoError('invalid_argument', `sysctl ${name} would change the whole machine`, {
    hint: 'only net.*, fs.mqueue.* and the kernel.msg*, kernel.shm* and kernel.sem parameters belong to a container',
  })
}
