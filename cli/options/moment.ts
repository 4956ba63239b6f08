/** Moments as people write them: a date and time, seconds since 1970, or how long ago. Pure. */
import { KagoError } from '../../shared/errors.ts'
import { parseDuration } from '../../shared/units.ts'

/**
 * As RFC 3339 in UTC. A date without a zone is this machine's.
 * @throws invalid_argument
 */
export function parseMoment(option: string, value: string, now: number): string {
  const unix = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(value)
  if (unix !== null) {
    const whole = new Date(Number(unix[1]) * 1000).toISOString().slice(0, 19)
    return `${whole}.${(unix[2] ?? '').padEnd(9, '0')}Z`
  }
  const ago = parseDuration(value)
  if (ago !== undefined) return new Date(now - ago).toISOString()
  const match = /^\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(value)
  const time = match === null ? Number.NaN : Date.parse(complete(value))
  if (Number.isNaN(time)) {
    throw new KagoError('invalid_argument', `${option}: not a time: ${JSON.stringify(value)}`, {
      hint: 'write 2026-01-31T12:00:00Z, seconds since 1970, or how long ago: 10m, 1h30m',
    })
  }
  const whole = new Date(time).toISOString().slice(0, 19)
  const fraction = /\.(\d{1,9})/.exec(value)?.[1] ?? ''
  return `${whole}.${fraction.padEnd(9, '0')}Z`
}

/** JavaScript takes a date alone for UTC, and wants minutes after an hour. */
function complete(value: string): string {
  if (!value.includes('T')) return `${value}T00:00:00`
  return value.replace(/T(\d\d)(?=$|[Z+-])/, 'T$1:00')
}
