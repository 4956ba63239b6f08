import { expect, test } from 'vitest'
import { afterCheck, nextCheckIn, noHealthYet } from '../../../../daemon/container/health-state.ts'
import type { Health, HealthCheck, HealthResult } from '../../../../shared/protocol/health.ts'

const check: HealthCheck = {
  command: ['ask'],
  intervalMs: 30_000,
  timeoutMs: 1000,
  startPeriodMs: 10_000,
  startIntervalMs: 2000,
  retries: 3,
  onFailure: 'none',
}
const start = 1_000_000
const at = (ms: number) => new Date(start + ms).toISOString()
const result = (ms: number, exitStatus: number | null): HealthResult => ({
  startedAt: at(ms),
  finishedAt: at(ms + 10),
  exitStatus,
  output: '',
})
const ask = (before: Health, ms: number, exitStatus: number | null) =>
  afterCheck(before, result(ms, exitStatus), check, start)

test('the first success makes it healthy, also in the start period', () => {
  expect(ask(noHealthYet, 10, 0)).toMatchObject({ status: 'healthy', failingStreak: 0 })
})

test('failures in the start period do not count before the first success', () => {
  let health = noHealthYet
  for (let ms = 0; ms < 10_000; ms += 2000) health = ask(health, ms, 1)
  expect(health).toMatchObject({ status: 'starting', failingStreak: 0 })
  health = ask(health, 10_000, 1)
  expect(health).toMatchObject({ status: 'starting', failingStreak: 1 })
})

test('so many failures in a row make it unhealthy, one success heals it', () => {
  let health = ask(noHealthYet, 0, 0)
  health = ask(health, 100, 1)
  health = ask(health, 200, null)
  expect(health).toMatchObject({ status: 'healthy', failingStreak: 2 })
  health = ask(health, 300, 137)
  expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 3 })
  health = ask(health, 400, 1)
  expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 4 })
  expect(ask(health, 500, 0)).toMatchObject({ status: 'healthy', failingStreak: 0 })
})

test('the last five results are kept, oldest first', () => {
  let health = noHealthYet
  for (let index = 0; index < 9; index++) health = ask(health, index * 1000, index)
  expect(health.log.map(({ exitStatus }) => exitStatus)).toEqual([4, 5, 6, 7, 8])
})

test('the next check comes an interval after the last, and sooner while it starts', () => {
  expect(nextCheckIn(noHealthYet, check, start, start)).toBe(2000)
  expect(nextCheckIn(noHealthYet, { ...check, startPeriodMs: 0 }, start, start)).toBe(30_000)
  expect(nextCheckIn(ask(noHealthYet, 1000, 1), check, start, start + 1010)).toBe(2000)
  expect(nextCheckIn(ask(noHealthYet, 1000, 0), check, start, start + 1010)).toBe(30_000)
})

test('a check that is overdue, as after a restart of the daemon, comes at once', () => {
  expect(nextCheckIn(ask(noHealthYet, 1000, 0), check, start, start + 500_000)).toBe(0)
})
