import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createProgressView } from '../../../../cli/terminal/progress.ts'
import type { Progress } from '../../../../shared/protocol/progress.ts'

const layer = (digit: string, more: Partial<Extract<Progress, { type: 'layer' }>>): Progress => ({
  type: 'layer',
  digest: `sha256:${digit.repeat(64)}`,
  phase: 'waiting',
  ...more,
})

function screen(size: { columns: number; rows: number } | undefined) {
  const written: string[] = []
  const clock = { now: 0 }
  return {
    written,
    clock,
    view: createProgressView({ write: (text) => written.push(text), size: () => size, now: () => clock.now }),
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('without a terminal there is a line for each change, and none for each byte', () => {
  const { written, view } = screen(undefined)
  view.report({ type: 'resolved', reference: 'alpine:3', digest: `sha256:${'d'.repeat(64)}` })
  view.report(layer('a', { phase: 'downloading', current: 1, total: 2_000_000 }))
  view.report(layer('a', { phase: 'downloading', current: 1_000_000, total: 2_000_000 }))
  view.report(layer('a', { phase: 'done' }))
  view.report({ type: 'notice', message: 'mirror\x1b[2J does not answer' })
  view.end()
  expect(written.join('')).toBe(
    'Pulling alpine:3 (sha256:dddddddddddd)\n' +
      'aaaaaaaaaaaa: Downloading 2MB\n' +
      'aaaaaaaaaaaa: Pull complete\n' +
      'mirror\\x1b[2J does not answer\n',
  )
})

test('a rate limit is told when little of it is left', () => {
  const { written, view } = screen(undefined)
  const resolved = (remaining: number): Progress => ({
    type: 'resolved',
    reference: 'x',
    digest: 'sha256:d',
    rateLimit: { limit: 100, remaining, windowSeconds: 21600 },
  })
  view.report(resolved(80))
  view.report(resolved(7))
  expect(written[0]).not.toContain('allows')
  expect(written[1]).toContain('the registry allows 7 more pulls of 100 in 6h')
})

test('on a terminal the bars are drawn over themselves, not more often than the eye sees', () => {
  const { written, clock, view } = screen({ columns: 100, rows: 30 })
  view.report(layer('a', { phase: 'downloading', current: 1_000_000, total: 2_000_000 }))
  for (let index = 0; index < 100; index++) {
    clock.now += 1
    view.report(layer('a', { phase: 'downloading', current: 1_000_000 + index, total: 2_000_000 }))
  }
  expect(written.length).toBeLessThan(4)
  clock.now = 1000
  vi.runAllTimers()
  const last = written.at(-1) ?? ''
  expect(last).toContain('\x1b[2A\r\x1b[J')
  expect(last).toContain('aaaaaaaaaaaa  Downloading       [============            ] 1MB/2MB')
  expect(last).toContain('0 of 1 layers, 1MB at 1MB/s')
})

test('the last state is drawn at the end', () => {
  const { written, clock, view } = screen({ columns: 80, rows: 24 })
  view.report(layer('a', { phase: 'unpacking', current: 1, total: 2 }))
  clock.now = 1
  view.report(layer('a', { phase: 'done' }))
  view.end()
  expect(written.at(-1)).toContain('Pull complete')
  expect(written.at(-1)).toContain('1 of 1 layers')
})

test('more layers than rows leave out those that are done', () => {
  const { written, view, clock } = screen({ columns: 80, rows: 8 })
  for (const digit of '0123456789') {
    clock.now += 100
    view.report(layer(digit, { phase: Number(digit) < 6 ? 'done' : 'waiting' }))
  }
  const lines = (written.at(-1) ?? '').split('\n').filter((line) => line !== '')
  expect(lines).toHaveLength(6)
  expect(lines.join('\n')).toContain('9999')
  expect(lines.at(-1)).toContain('6 of 10 layers')
})
