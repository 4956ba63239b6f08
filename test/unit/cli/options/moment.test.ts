import { expect, test } from 'vitest'
import { parseMoment } from '../../../../cli/options/moment.ts'

const now = Date.parse('2026-01-31T12:00:00Z')
const at = (value: string) => parseMoment('--since', value, now)

test('a duration is so long ago', () => {
  expect(at('10m')).toBe('2026-01-31T11:50:00.000Z')
  expect(at('1h30m')).toBe('2026-01-31T10:30:00.000Z')
})

test('seconds since 1970 may have a fraction, of which nothing is lost', () => {
  expect(at('1769860800')).toBe('2026-01-31T12:00:00.000000000Z')
  expect(at('1769860800.123456789')).toBe('2026-01-31T12:00:00.123456789Z')
})

test('a date with a zone keeps its nanoseconds', () => {
  expect(at('2026-01-31T12:00:00.123456789Z')).toBe('2026-01-31T12:00:00.123456789Z')
  expect(at('2026-01-31T12:00:00+02:00')).toBe('2026-01-31T10:00:00.000000000Z')
})

test('a date without a zone is this machine’s', () => {
  const local = (text: string) => Date.parse(text)
  expect(Date.parse(at('2026-01-31'))).toBe(local('2026-01-31T00:00:00'))
  expect(Date.parse(at('2026-01-31T10'))).toBe(local('2026-01-31T10:00:00'))
  expect(Date.parse(at('2026-01-31T10:30'))).toBe(local('2026-01-31T10:30:00'))
})

test('what is no time is refused', () => {
  for (const bad of ['', 'yesterday', '2026-13-01', '10x', '2026-01-31 12:00']) {
    expect(() => at(bad)).toThrow('--since: not a time')
  }
})
