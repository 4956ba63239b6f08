/** Which devices the container may use: the rules of its device cgroup. */
import type { DeviceRule } from '../../../shared/oci/runtime-spec.ts'
import type { SpecInput } from './input.ts'

/**
 * Everything is denied first, then the harmless ones are allowed, as in Docker. /dev/ptmx and the slaves (5:2 and
 * 136:*) are added by the runtimes themselves. mknod alone is allowed for any number, since a node without read or
 * write permission here is of no use.
 */
export function deviceRules(input: SpecInput): DeviceRule[] {
  if (input.options.privileged) return [{ allow: true, access: 'rwm' }]
  return [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'b', access: 'm' },
    ...[3, 5, 7, 8, 9].map((minor) => character(1, minor)),
    character(5, 0),
    character(5, 1),
    ...(input.devices ?? []).map(
      (device): DeviceRule => ({
        allow: true,
        type: device.type === 'b' ? 'b' : 'c',
        major: device.major,
        minor: device.minor,
        access: device.access,
      }),
    ),
  ]
}

function character(major: number, minor: number): DeviceRule {
  return { allow: true, type: 'c', major, minor, access: 'rwm' }
}
