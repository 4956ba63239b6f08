import { expect, test } from 'vitest'
import {
  firstBackOffMs,
  longestBackOffMs,
  nextBackOff,
  startsWithDaemon,
  wantsRestart,
} from '../../../../daemon/container/restart-policy.ts'
import type { RestartPolicy } from '../../../../shared/protocol/containers.ts'

const always: RestartPolicy = { policy: 'always' }
const unlessStopped: RestartPolicy = { policy: 'unless-stopped' }
const onFailure: RestartPolicy = { policy: 'on-failure' }
const end = { exitStatus: 0, isManual: false, restartCount: 0 }

test('without a policy, nothing is started again', () => {
  expect(wantsRestart(undefined, { ...end, exitStatus: 1 })).toBe(false)
  expect(wantsRestart({ policy: 'no' }, { ...end, exitStatus: 1 })).toBe(false)
})

test('always and unless-stopped bring back whatever ended by itself, how often it may be', () => {
  for (const policy of [always, unlessStopped]) {
    expect(wantsRestart(policy, end)).toBe(true)
    expect(wantsRestart(policy, { ...end, exitStatus: 1, restartCount: 1000 })).toBe(true)
  }
})

test('on-failure brings back what failed, and what ended nobody knows how', () => {
  expect(wantsRestart(onFailure, end)).toBe(false)
  expect(wantsRestart(onFailure, { ...end, exitStatus: 3 })).toBe(true)
  expect(wantsRestart(onFailure, { ...end, exitStatus: null })).toBe(true)
})

test('on-failure with a number of retries gives up after so many; 0 is no limit', () => {
  const failed = { ...end, exitStatus: 1 }
  const thrice: RestartPolicy = { policy: 'on-failure', maximumRetries: 3 }
  expect(wantsRestart(thrice, { ...failed, restartCount: 2 })).toBe(true)
  expect(wantsRestart(thrice, { ...failed, restartCount: 3 })).toBe(false)
  expect(wantsRestart({ policy: 'on-failure', maximumRetries: 0 }, { ...failed, restartCount: 99 })).toBe(
    true,
  )
})

test('no policy brings back what was ended on purpose', () => {
  for (const policy of [always, unlessStopped, onFailure]) {
    expect(wantsRestart(policy, { exitStatus: 143, isManual: true, restartCount: 0 })).toBe(false)
  }
})

test('the wait doubles from 100 ms to a minute, and begins anew after ten seconds up', () => {
  const waits: number[] = []
  for (let wait = 0, round = 0; round < 12; round++) {
    wait = nextBackOff(wait, 50)
    waits.push(wait)
  }
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000])
  expect(nextBackOff(longestBackOffMs, 9_999)).toBe(longestBackOffMs)
  expect(nextBackOff(longestBackOffMs, 10_000)).toBe(firstBackOffMs)
})

test('with the daemon start: always, unless-stopped that nobody stopped, on-failure that was waiting', () => {
  const task = { startedAt: 1, isManual: false, isWaiting: false }
  const stopped = { ...task, isManual: true }
  expect(startsWithDaemon(always, task)).toBe(true)
  expect(startsWithDaemon(always, stopped)).toBe(true)
  expect(startsWithDaemon(unlessStopped, task)).toBe(true)
  expect(startsWithDaemon(unlessStopped, stopped)).toBe(false)
  expect(startsWithDaemon(onFailure, task)).toBe(false)
  expect(startsWithDaemon(onFailure, { ...task, isWaiting: true })).toBe(true)
  expect(startsWithDaemon({ policy: 'no' }, task)).toBe(false)
})

test('what has never run is not started with the daemon', () => {
  expect(startsWithDaemon(always, { startedAt: null, isManual: false, isWaiting: false })).toBe(false)
})
