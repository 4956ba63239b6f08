/** Which parts of root's power the container's process gets. */
import { KagoError } from '../../../shared/errors.ts'
import type { Capabilities } from '../../../shared/oci/runtime-spec.ts'
import type { RunOptions } from '../run-options.ts'
import { nearest } from '../../../shared/nearest.ts'

/** Every capability of Linux, at the index of its bit (include/uapi/linux/capability.h). */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const

/** Docker's fourteen; as a mask 0x00000000a80425fb. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

/**
 * The capabilities a container holds: Docker's default, changed by --cap-add and --cap-drop; all that `available`
 * has when privileged. What is both added and dropped by name is added.
 */
export function heldCapabilities(options: RunOptions, available: readonly string[]): string[] {
  const add = options.capAdd.map(normalizeCapability)
  const drop = options.capDrop.map(normalizeCapability)
  if (options.privileged) return [...available]
  const missing = add.find((name) => name !== 'ALL' && !available.includes(name))
  if (missing !== undefined) {
    throw new KagoError(
      'not_supported',
      `capability ${missing} cannot be added: the daemon itself does not have it`,
    )
  }
  const held = pick(add, drop, available)
  return available.filter((name) => held.has(name))
}

function pick(add: string[], drop: string[], available: readonly string[]): Set<string> {
  if (add.includes('ALL')) return new Set(available.filter((name) => !drop.includes(name)))
  if (drop.includes('ALL')) return new Set(add)
  return new Set([...defaultCapabilities.filter((name) => !drop.includes(name)), ...add])
}

/** `net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are one; an unknown name is an error that suggests the nearest. */
export function normalizeCapability(name: string): string {
  const upper = name.trim().toUpperCase()
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL'
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  if (capabilityNames.some((known) => known === full)) return full
  const suggestion = nearest(full, capabilityNames)
  throw new KagoError('invalid_argument', `there is no capability ${name}`, {
    hint: suggestion && `did you mean ${suggestion.slice('CAP_'.length)}?`,
  })
}

/**
 * The five sets of the OCI spec. Inheritable and ambient stay empty: with them set, a program without privilege could
 * regain some through a file that carries inheritable capabilities. A user other than root gets only the bounding
 * set, as execve(2) would leave it.
 */
export function capabilitySets(held: string[], uid: number): Capabilities {
  return uid === 0 ? { bounding: held, effective: held, permitted: held } : { bounding: held }
}
