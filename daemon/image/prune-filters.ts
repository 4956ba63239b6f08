/** The filters of a prune: `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`. All must agree. */
import { KagoError } from '../../shared/errors.ts'
import { parseDuration } from '../../shared/units.ts'

export interface Prunable {
  /** Milliseconds since 1970; null is older than everything. */
  createdAt: number | null
  labels: Readonly<Record<string, string>>
}

const hint = 'filters are until=TIME, label=KEY[=VALUE] and label!=KEY[=VALUE]'

/** @throws invalid_argument */
export function parsePruneFilters(filters: readonly string[], now: number): (thing: Prunable) => boolean {
  const tests = filters.map((text) => parseFilter(text, now))
  return (thing) => tests.every((test) => test(thing))
}

function parseFilter(text: string, now: number): (thing: Prunable) => boolean {
  const [, key, value = ''] = /^(until|label!?)=(.+)$/s.exec(text) ?? []
  if (key === 'until') {
    const until = parseUntil(value, now)
    return ({ createdAt }) => (createdAt ?? 0) < until
  }
  if (key === 'label') return ({ labels }) => hasLabel(labels, value)
  if (key === 'label!') return ({ labels }) => !hasLabel(labels, value)
  throw new KagoError('invalid_argument', `not a filter: ${text}`, { hint })
}

function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const at = text.indexOf('=')
  return at < 0 ? Object.hasOwn(labels, text) : labels[text.slice(0, at)] === text.slice(at + 1)
}

/** How long ago (`24h`), seconds since 1970, or a date. */
function parseUntil(value: string, now: number): number {
  if (/^\d{1,12}(\.\d+)?$/.test(value)) return Number(value) * 1000
  const ago = parseDuration(value)
  const time = ago === undefined ? Date.parse(value) : now - ago
  if (!Number.isNaN(time)) return time
  throw new KagoError('invalid_argument', `until: not a time: ${value}`, {
    hint: 'write 24h for older than a day, 2026-01-31T12:00:00Z, or seconds since 1970',
  })
}
