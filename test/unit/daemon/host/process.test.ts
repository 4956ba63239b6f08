/** Which process a number means. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import {
  identifyProcess,
  isAlive,
  killTree,
  readProcessStat,
  signalProcess,
} from '../../../../daemon/host/process.ts'

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

test('a tree of processes is killed whole, and nobody beside it', async () => {
  const line = 'sleep 1000 & sh -c "sleep 1000 & sleep 1000; true" & echo; wait'
  const [tree, other] = [line, 'echo; exec sleep 1000'].map((text) =>
    spawn('sh', ['-c', text], { stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  if (!tree?.stdout || !other?.stdout) throw new Error('no processes')
  await Promise.all([once(tree.stdout, 'data'), once(other.stdout, 'data')])
  const descendants = () =>
    execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === tree.pid)
  while (descendants().length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  const root = identifyProcess(tree.pid ?? 0)
  if (root === undefined) throw new Error('it has gone')
  killTree(root)
  // Its output ends when the last of them has gone.
  await once(tree.stdout.resume(), 'close')
  expect(isAlive(root)).toBe(false)
  const survivor = identifyProcess(other.pid ?? 0)
  expect(survivor).toBeDefined()
  if (survivor !== undefined) killTree(survivor)
})
