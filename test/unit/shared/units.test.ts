import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatAge,
  formatBinaryBytes,
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
} from '../../../shared/units.ts'

test('sizes are powers of 1024 in any spelling', () => {
  expect(parseBytes('512m')).toBe(512 * 1024 ** 2)
  expect(parseBytes('1.5g')).toBe(1.5 * 1024 ** 3)
  for (const text of ['64k', '64K', '64kb', '64KiB', '64 kB', '65536', '65536b']) {
    expect(parseBytes(text)).toBe(65536)
  }
})

test('what is no size is refused', () => {
  for (const text of ['', 'm', '-1', '1x', '1mm', '1e3', '0x10', '1.2.3g', '9999999999t', '1 0', 'NaN']) {
    expect(() => parseBytes(text)).toThrow('not a size')
  }
})

test('every whole number of every unit is read exactly', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('b', 'k', 'm'), (count, unit) => {
      expect(parseBytes(`${count}${unit}`)).toBe(count * 1024 ** 'bkm'.indexOf(unit))
    }),
  )
})

test('sizes are shown with three digits, powers of 1000', () => {
  expect([0, 999, 1000, 2_050_000, 7_049_999, 123_456_789, 1e12].map((size) => formatBytes(size))).toEqual([
    '0B',
    '999B',
    '1kB',
    '2.05MB',
    '7.05MB',
    '123MB',
    '1TB',
  ])
  expect(formatBytes(999_999)).toBe('1000kB')
  expect(formatBinaryBytes(2 * 1024 ** 3)).toBe('2GiB')
})

test('durations are read as Go writes them', () => {
  expect(parseDuration('1h30m')).toBe(5_400_000)
  expect(parseDuration('250ms')).toBe(250)
  expect(parseDuration('1.5s')).toBe(1500)
  expect(parseDuration('0')).toBe(0)
  for (const text of ['', '1', 's', '1d', '1h 30m', 'm1']) expect(parseDuration(text)).toBeUndefined()
})

test('durations are shown as short as they are exact enough', () => {
  expect([0.31, 12.4, 999, 1500, 72_000, 3_661_000].map(formatDuration)).toEqual([
    '0.3ms',
    '12ms',
    '999ms',
    '1.5s',
    '1m12s',
    '1h1m1s',
  ])
})

test('ages are those of docker ps', () => {
  const second = 1000
  const hour = 3600 * second
  const day = 24 * hour
  const ages: [number, string][] = [
    [-5, 'Less than a second'],
    [900, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [60 * second, 'About a minute'],
    [125 * second, '2 minutes'],
    [hour, 'About an hour'],
    [1.4 * hour, 'About an hour'],
    [1.6 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [3 * day, '3 days'],
    [14 * day, '2 weeks'],
    [61 * day, '2 months'],
    [800 * day, '2 years'],
  ]
  for (const [age, text] of ages) expect(formatAge(age)).toBe(text)
})
