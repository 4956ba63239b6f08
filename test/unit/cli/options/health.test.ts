import { expect, test } from 'vitest'
import { healthFrom, healthOptions } from '../../../../cli/options/health.ts'
import { parseOptions } from '../../../../cli/options/parse.ts'

const read = (...words: string[]) =>
  healthFrom(parseOptions({ name: 'kago run', options: healthOptions }, words).values)

test('nothing asked for is nothing in the request', () => {
  expect(read()).toBeUndefined()
})

test('durations become milliseconds, the command a line for the shell', () => {
  expect(
    read(
      '--health-cmd',
      'wget -q http://localhost/',
      '--health-interval',
      '1m30s',
      '--health-timeout=2s',
      '--health-retries',
      '5',
      '--health-start-period',
      '500ms',
      '--health-start-interval',
      '1s',
      '--health-on-failure',
      'restart',
    ),
  ).toEqual({
    shell: 'wget -q http://localhost/',
    intervalMs: 90_000,
    timeoutMs: 2000,
    retries: 5,
    startPeriodMs: 500,
    startIntervalMs: 1000,
    onFailure: 'restart',
  })
})

test('zero is the default, as with Docker', () => {
  expect(read('--health-cmd', 'true', '--health-interval', '0s', '--health-retries', '0')).toEqual({
    shell: 'true',
  })
})

test('it can be switched off', () => {
  expect(read('--no-healthcheck')).toEqual({ disable: true })
})

test.for([
  ['--health-interval', 'soon'],
  ['--health-interval', '-5s'],
  ['--health-timeout', '1us'],
  ['--health-on-failure', 'panic'],
  ['--health-retries', '-1'],
])('%s %s is refused by its name', ([option = '', value = '']) => {
  expect(() => read(option, value)).toThrow(option)
})
