/** What the container has of its own: process ids, mounts, hostname, network, … */
import { KagoError } from '../../../shared/errors.ts'
import type { Namespace } from '../../../shared/oci/runtime-spec.ts'
import type { SpecInput } from './input.ts'

/** As Docker: the cgroup namespace is the container's own with cgroup v2, the host's with v1. */
export function namespaces(input: SpecInput): Namespace[] {
  const list: Namespace[] = [{ type: 'mount' }, { type: 'uts' }, { type: 'pid' }, { type: 'ipc' }]
  if (typeof input.networkMode === 'object') list.push({ type: 'network', path: input.networkMode.path })
  else if (input.networkMode === 'none') list.push({ type: 'network' })
  if (input.host.cgroupVersion === 2) list.push({ type: 'cgroup' })
  return list
}

/** What was asked for; else the host's name when its network is shared; else the short id. */
export function containerHostname(input: SpecInput): string {
  const asked = input.options.hostname
  if (asked !== undefined && !isHostname(asked)) {
    throw new KagoError('invalid_argument', `hostname ${JSON.stringify(asked)} is not valid`, {
      hint: 'use letters, digits, dots and hyphens, at most 63 characters',
    })
  }
  return asked ?? (input.networkMode === 'host' ? input.host.hostname : input.id.slice(0, 12))
}

/** sethostname(2) takes at most 64 bytes; the rest is what /etc/hosts can hold. */
function isHostname(name: string): boolean {
  return name.length <= 63 && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)
}
