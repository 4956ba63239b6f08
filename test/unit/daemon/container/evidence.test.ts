import { expect, test } from 'vitest'
import { evidenceOfEnd, evidenceOfFailure } from '../../../../daemon/container/evidence.ts'
import { KagoError } from '../../../../shared/errors.ts'

const exitedAt = '2026-01-01T00:00:00Z'

test('an end with a status says so', () => {
  expect(evidenceOfEnd({ status: 3, signal: null, exitedAt }, undefined, false)).toEqual({
    kind: 'exit',
    summary: 'it ended with status 3',
  })
})

test('a signal has its name, and whether somebody asked for it', () => {
  expect(evidenceOfEnd({ status: 143, signal: 15, exitedAt }, undefined, true)).toEqual({
    kind: 'signal',
    summary: 'SIGTERM ended it, as somebody asked for',
    signal: 'SIGTERM',
    isManual: true,
  })
})

test('want of memory is told with the counters of the cgroup', () => {
  const memory = { usageBytes: 1, peakBytes: 2 ** 26, limitBytes: 2 ** 26, oomKills: 2 }
  expect(evidenceOfEnd({ status: 137, signal: 9, exitedAt }, memory, false)).toEqual({
    kind: 'oom',
    summary: 'SIGKILL ended it; the kernel killed 2 processes of it for memory (its limit is 64MiB)',
    signal: 'SIGKILL',
    memory: { oomKills: 2, peakBytes: 2 ** 26, limitBytes: 2 ** 26 },
  })
})

test('an end that nobody saw is not made up', () => {
  expect(evidenceOfEnd(undefined, undefined, false)).toMatchObject({ kind: 'lost' })
})

test('a failed start keeps the end of what the runtime said', () => {
  const error = new KagoError('not_found', 'sh was not found', {
    details: { runtimeMessage: `${'x'.repeat(5000)}end` },
  })
  const evidence = evidenceOfFailure(error)
  expect(evidence).toMatchObject({ kind: 'start-failed', summary: 'sh was not found' })
  expect(evidence.runtimeLog).toHaveLength(4096)
  expect(evidence.runtimeLog?.endsWith('end')).toBe(true)
})
