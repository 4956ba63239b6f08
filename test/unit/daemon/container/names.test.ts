import { expect, test } from 'vitest'
import { checkName, randomName } from '../../../../daemon/container/names.ts'
import { normalizeSignal } from '../../../../daemon/container/signals.ts'

test.for(['web', 'Web_2.x-y', '0', 'a'.repeat(128)])('%s is a name', (name) => {
  expect(checkName(name)).toBe(name)
})

test.for(['', '.', '..', '../x', '-x', 'a b', 'a/b', 'ä', 'a'.repeat(129), 'x\n', '\u202eweb'])(
  '%j is refused as a name',
  (name) => {
    expect(() => checkName(name)).toThrow('not a container name')
  },
)

test('random names are names, and get longer when names run out', () => {
  for (let attempt = 0; attempt < 12; attempt++)
    expect(checkName(randomName(attempt))).toMatch(/^[a-z]+_[a-z]+\d*$/)
})

test.for([
  ['SIGTERM', 'TERM'],
  ['term', 'TERM'],
  ['9', '9'],
  ['RTMIN+3', 'RTMIN+3'],
  ['sighup', 'HUP'],
])('%s is the signal %s', ([text, signal]) => {
  expect(normalizeSignal(text ?? '')).toBe(signal)
})

test.for(['', '0', '65', 'SIGTREM', 'KILL; reboot', '-9'])('%j is no signal', (text) => {
  expect(() => normalizeSignal(text)).toThrow('no such signal')
})

test('a slip in a signal is pointed out', () => {
  expect(() => normalizeSignal('TREM')).toThrow(expect.objectContaining({ hint: 'did you mean TERM?' }))
})
