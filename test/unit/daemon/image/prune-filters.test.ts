import { expect, test } from 'vitest'
import { parsePruneFilters } from '../../../../daemon/image/prune-filters.ts'

const now = Date.parse('2026-01-10T00:00:00Z')
const day = 24 * 3600_000
const things = {
  new: { createdAt: now - 1000, labels: { a: '1' } },
  old: { createdAt: now - 2 * day, labels: { a: '2', keep: '' } },
  timeless: { createdAt: null, labels: {} },
}
const kept = (...filters: string[]) => {
  const matches = parsePruneFilters(filters, now)
  return Object.entries(things).flatMap(([name, thing]) => (matches(thing) ? [name] : []))
}

test.each([
  [[], ['new', 'old', 'timeless']],
  [['until=24h'], ['old', 'timeless']],
  [['until=2026-01-09T00:00:00Z'], ['old', 'timeless']],
  [[`until=${(now - day) / 1000}`], ['old', 'timeless']],
  [['label=a'], ['new', 'old']],
  [['label=a=2'], ['old']],
  [['label!=keep'], ['new', 'timeless']],
  [
    ['label!=a=1', 'until=24h'],
    ['old', 'timeless'],
  ],
  [['label=a', 'label=keep'], ['old']],
])('%j', (filters, names) => {
  expect(kept(...filters)).toEqual(names)
})

test.each(['name=x', 'until=', 'until=soon', 'label', ''])('%j is refused', (filter) => {
  expect(() => parsePruneFilters([filter], now)).toThrow(/not a (filter|time)/)
})
