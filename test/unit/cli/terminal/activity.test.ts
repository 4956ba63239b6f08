import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createActivities } from '../../../../cli/terminal/activity.ts'

let written: string
let isTerminal: boolean
let now: number
beforeEach(() => {
  vi.useFakeTimers()
  written = ''
  isTerminal = true
  now = 0
})
afterEach(() => {
  vi.useRealTimers()
})

const activities = () =>
  createActivities({
    isTerminal: () => isTerminal,
    columns: () => 80,
    write: (text) => {
      written += text
    },
    now: () => now,
  })

function pass(milliseconds: number): void {
  for (let left = milliseconds; left > 0; left -= 50) {
    now += 50
    vi.advanceTimersByTime(50)
  }
}

test('what is quick says nothing', () => {
  const done = activities().begin('container.stop', 'web')
  pass(450)
  done()
  pass(5000)
  expect(written).toBe('')
})

test('what takes longer says what and how long, and leaves an empty line', () => {
  const done = activities().begin('container.stop', 'web')
  pass(2300)
  expect(written).toContain('stopping web  500ms')
  expect(written).toContain('stopping web  2.3s')
  done()
  expect(written.endsWith('\r\x1b[K')).toBe(true)
  const length = written.length
  pass(5000)
  expect(written.length).toBe(length)
})

test('several share a line, and go on when one is done', () => {
  const all = activities()
  const [first, second] = ['a', 'b', 'c'].map((name) => all.begin('container.remove', name))
  pass(600)
  expect(written).toContain('removing a and 2 more')
  first?.()
  pass(100)
  expect(written).toContain('removing b and 1 more')
  second?.()
  pass(100)
  expect(written).toContain('removing c ')
})

test('where nobody looks, nothing is drawn', () => {
  isTerminal = false
  activities().begin('network.prune')
  pass(5000)
  expect(written).toBe('')
})

test('a name cannot drive the terminal', () => {
  activities().begin('container.stop', 'a\x1b[2Jb')
  pass(600)
  expect(written).not.toContain('\x1b[2J')
})
