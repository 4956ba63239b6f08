import { expect, test } from 'vitest'
import { resolveHealth } from '../../../../daemon/container/health-options.ts'

const image = {
  Healthcheck: { Test: ['CMD-SHELL', 'ask me'], Interval: 5e9, Timeout: 2e9, StartPeriod: 1e9, Retries: 7 },
}

test('without a word of request or image there is no check', () => {
  expect(resolveHealth(undefined, {})).toBeUndefined()
  expect(resolveHealth(undefined, { Healthcheck: { Test: ['NONE'] } })).toBeUndefined()
  expect(resolveHealth(undefined, { Healthcheck: { Test: [] } })).toBeUndefined()
})

test('the image’s check has the image’s times, in milliseconds, and defaults for the rest', () => {
  expect(resolveHealth(undefined, image)).toEqual({
    command: ['/bin/sh', '-c', 'ask me'],
    intervalMs: 5000,
    timeoutMs: 2000,
    startPeriodMs: 1000,
    startIntervalMs: 5000,
    retries: 7,
    onFailure: 'none',
  })
  expect(
    resolveHealth(undefined, { Healthcheck: { Test: ['CMD', 'ask', 'me'], Interval: 0 } }),
  ).toMatchObject({
    command: ['ask', 'me'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    retries: 3,
  })
})

test('what is asked for goes over what the image says, key by key', () => {
  expect(resolveHealth({ retries: 1, onFailure: 'kill' }, image)).toMatchObject({
    command: ['/bin/sh', '-c', 'ask me'],
    intervalMs: 5000,
    retries: 1,
    onFailure: 'kill',
  })
  expect(resolveHealth({ shell: 'other' }, { ...image, Shell: ['/bin/ash', '-ec'] })).toMatchObject({
    command: ['/bin/ash', '-ec', 'other'],
    retries: 7,
  })
  expect(resolveHealth({ command: ['a', 'b'] }, {})).toMatchObject({ command: ['a', 'b'] })
})

test('it can be switched off, but not with options', () => {
  expect(resolveHealth({ disable: true }, image)).toBeUndefined()
  expect(() => resolveHealth({ disable: true, retries: 1 }, image)).toThrow('switched off')
})

test('times without a command are refused', () => {
  expect(() => resolveHealth({ intervalMs: 1000 }, {})).toThrow('needs a command')
})
