/** Sizes, durations and ages as people write and read them; the grammar is Docker's. */
import { KagoError } from './errors.ts'

const binaryPowers = 'bkmgtp'

/**
 * Bytes from `512m`, `1.5g`, `64kb`, `1GiB`, `100`: powers of 1024, any case.
 * @throws invalid_argument
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?(?:([bkmgtp])|([kmgtp])i?b)?$/i.exec(text)
  const unit = (match?.[2] ?? match?.[3] ?? 'b').toLowerCase()
  const bytes = Math.trunc(Number(match?.[1]) * 1024 ** binaryPowers.indexOf(unit))
  if (match !== null && Number.isSafeInteger(bytes)) return bytes
  throw new KagoError('invalid_argument', `not a size: ${JSON.stringify(text)}`, {
    hint: 'write a number and a unit of b, k, m, g or t: 512m',
  })
}

/** `7.05MB`: powers of 1000, as many digits as given, no needless zeros. */
export function formatBytes(bytes: number, digits: number = 3): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${significant(value, digits)}${units[unit] ?? ''}`
}

/** `1.944GiB`: powers of 1024. */
export function formatBinaryBytes(bytes: number, digits: number = 4): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${significant(value, digits)}${units[unit] ?? ''}`
}

function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits)
  return text.includes('e') ? String(Math.round(value)) : String(Number(text))
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Milliseconds from `1h30m`, `90s`, `1.5h`, `250ms`; undefined for what is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit = ''] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|ms|s|m|h)/g)) {
    total += Number(amount) * (durationUnits[unit] ?? 0)
  }
  return text.startsWith('-') ? -total : total
}

/** `1.2ms`, `340ms`, `2.3s`, `1m12s`: what a step took. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)}ms`
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)}s`
  const seconds = Math.round(milliseconds / 1000)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  return `${hours > 0 ? `${hours}h` : ''}${minutes}m${seconds % 60}s`
}

/** `About a minute`, `3 hours`, `2 weeks`: how long ago, roughly. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.trunc(milliseconds / 1000))
  const minutes = Math.trunc(seconds / 60)
  const hours = Math.round(seconds / 3600)
  if (seconds < 1) return 'Less than a second'
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`
  if (minutes < 60) return minutes === 1 ? 'About a minute' : `${minutes} minutes`
  if (hours < 48) return hours === 1 ? 'About an hour' : `${hours} hours`
  const days = Math.trunc(hours / 24)
  if (hours < 24 * 7 * 2) return `${days} days`
  if (hours < 24 * 30 * 2) return `${Math.trunc(days / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.trunc(days / 30)} months`
  return `${Math.trunc(days / 365)} years`
}
