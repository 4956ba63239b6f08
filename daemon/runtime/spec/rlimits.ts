/** The limits of setrlimit(2) for the container's process; what is not asked for is inherited from the daemon. */
import { KagoError } from '../../../shared/errors.ts'
import type { Rlimit } from '../../../shared/oci/runtime-spec.ts'
import type { UlimitOption } from '../run-options.ts'
import { nearest } from '../../../shared/nearest.ts'

export const rlimitNames = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const

/** RLIM_INFINITY is 2^64-1; no number of JavaScript is, so 2^64 stands for it until `writeBundle` writes it out. */
export const noRlimit = 2 ** 64

export function rlimits(asked: UlimitOption[]): Rlimit[] {
  return asked.map(({ name, soft, hard }) => {
    if (!rlimitNames.some((known) => known === name)) {
      const suggestion = nearest(name, rlimitNames)
      throw new KagoError('invalid_argument', `there is no ulimit ${name}`, {
        hint: suggestion && `did you mean ${suggestion}?`,
      })
    }
    const limits = { soft: limitValue(name, soft), hard: limitValue(name, hard) }
    if (limits.soft > limits.hard) {
      throw new KagoError(
        'invalid_argument',
        `ulimit ${name}: the soft limit ${soft} is above the hard limit ${hard}`,
      )
    }
    return { type: `RLIMIT_${name.toUpperCase()}`, ...limits }
  })
}

function limitValue(name: string, value: number): number {
  if (value === -1) return noRlimit
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new KagoError('invalid_argument', `ulimit ${name}: ${value} is not a limit`, {
    hint: 'use a whole number, or -1 for no limit',
  })
}
