/** Which process a number means. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { identifyProcess, isAlive, readProcessStat, signalProcess } from '../../../../daemon/host/process.ts'

test('a process is itself by pid and start, until it ends', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = identifyProcess(child.pid ?? 0)
  if (identity === undefined) throw new Error('the child is not there')
  expect(isAlive(identity)).toBe(true)
  expect(isAlive({ ...identity, startTime: identity.startTime + 1 })).toBe(false)
  expect(signalProcess({ ...identity, startTime: identity.startTime + 1 }, 9)).toBe(false)
  expect(readProcessStat(identity.pid)?.parentPid).toBe(process.pid)
  expect(signalProcess(identity, 9)).toBe(true)
  await once(child, 'exit')
  expect(isAlive(identity)).toBe(false)
  expect(signalProcess(identity, 9)).toBe(false)
})

test('a name with brackets and spaces does not shift the fields', async () => {
  const child = spawn('bash', ['-c', 'printf "a) (b c" >/proc/self/comm; read -r line'])
  await once(child, 'spawn')
  await expect.poll(() => readProcessStat(child.pid ?? 0)?.parentPid).toBe(process.pid)
  child.stdin.end()
  await once(child, 'exit')
})

test('a process that never was is not there', () => {
  expect(readProcessStat(2 ** 22 + 1)).toBeUndefined()
})
