/** Restart policies on real containers: back-off, manual stops, and what a daemon does that comes back. */
import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { listPids, readCgroupLayout } from '../../../daemon/host/cgroup.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, shimsOf, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'
const task = async (id: string) => (await kagod.inspect(id)).task

test('on-failure:3 is started three times more, each time after a longer wait, and then left', async () => {
  const id = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'cat /proc/uptime; exit 7'],
    restart: { policy: 'on-failure', maximumRetries: 3 },
  })
  await eventually(async () => (await task(id)).state === 'exited', 'it is given up')
  expect(await task(id)).toMatchObject({ restartCount: 3, exitStatus: 7, restartAt: null })
  const starts = (await kagod.logs(id)).stdout
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]))
  expect(starts.length).toBe(4)
  const waits = starts.slice(1).map((at, index) => at - (starts[index] ?? 0))
  for (const [index, least] of [0.1, 0.2, 0.4].entries()) {
    // The clock of /proc/uptime has ticks of 10 ms.
    expect(waits[index]).toBeGreaterThanOrEqual(least - 0.02)
  }
})

test('a container that succeeds is left by on-failure and brought back by always', async () => {
  const [once, ever] = await Promise.all([
    kagod.runDetached({ image, command: ['true'], restart: { policy: 'on-failure' } }),
    kagod.runDetached({ image, command: ['true'], restart: { policy: 'always' } }),
  ])
  await eventually(async () => (await task(ever)).restartCount >= 2, 'it is brought back')
  expect(await task(once)).toMatchObject({ state: 'exited', restartCount: 0, exitStatus: 0 })
})

/** One that waits long enough for its next start to be looked at. */
async function waiting(): Promise<string> {
  const id = await kagod.runDetached({ image, command: ['false'], restart: { policy: 'always' } })
  await eventually(async () => {
    const { state, restartAt } = await task(id)
    return state === 'restarting' && Date.parse(restartAt ?? '') - Date.now() > 700
  }, 'it waits long')
  return id
}

test('while it waits: ps shows it, attach and exec refuse, stop ends the wait and a waiting wait', async () => {
  const id = await waiting()
  const listed = await kagod.ok<{ id: string; task: { state: string } }[]>('GET', '/v1/containers')
  expect(listed.find((one) => one.id === id)?.task.state).toBe('restarting')
  await expect(kagod.upgrade(`/v1/containers/${id}/attach`, {})).rejects.toThrow(/is restarting/)
  await expect(kagod.upgrade(`/v1/containers/${id}/exec`, { command: ['true'] })).rejects.toThrow(
    /is restarting/,
  )
  expect((await kagod.request('DELETE', `/v1/containers/${id}`)).status).toBe(409)
  const [ended] = await Promise.all([
    kagod.ok<{ exitStatus: number }>('GET', `/v1/containers/${id}/wait`),
    kagod.ok('POST', `/v1/containers/${id}/stop`, {}),
  ])
  expect(ended.exitStatus).toBe(1)
  expect(await task(id)).toMatchObject({ state: 'exited', restartAt: null })
})

test('while it waits: kill ends the wait, start starts it at once, rm -f removes it', async () => {
  const killed = await waiting()
  await kagod.ok('POST', `/v1/containers/${killed}/kill`, {})
  expect((await task(killed)).state).toBe('exited')

  const started = await waiting()
  await kagod.ok('POST', `/v1/containers/${started}/start`, {})
  expect((await task(started)).restartCount).toBeLessThan(3)

  const removed = await waiting()
  await kagod.ok('DELETE', `/v1/containers/${removed}?force=true`)
  expect((await kagod.request('GET', `/v1/containers/${removed}`)).status).toBe(404)
})

test('what was stopped or killed on purpose stays down; another signal that ends it does not count', async () => {
  const make = () =>
    kagod.runDetached({ image, init: true, command: ['sleep', '1000'], restart: { policy: 'always' } })
  const [stopped, killed, hungUp] = await Promise.all([make(), make(), make()])
  await kagod.ok('POST', `/v1/containers/${stopped}/stop`, { timeoutSeconds: 0 })
  await kagod.ok('POST', `/v1/containers/${killed}/kill`, {})
  await kagod.ok('POST', `/v1/containers/${hungUp}/kill`, { signal: 'HUP' })
  await eventually(async () => (await task(hungUp)).restartCount === 1, 'a crash is mended')
  expect(await task(stopped)).toMatchObject({ state: 'exited', restartCount: 0 })
  expect(await task(killed)).toMatchObject({ state: 'exited', restartCount: 0 })
})

test('a daemon that comes back starts always; unless-stopped stays as somebody left it', async () => {
  const make = (policy: 'always' | 'unless-stopped' | 'on-failure' | 'no') =>
    kagod.runDetached({ image, command: ['sleep', '1000'], restart: { policy } })
  const [always, left, stopped, failed, none, running] = await Promise.all([
    make('always'),
    make('unless-stopped'),
    make('unless-stopped'),
    make('on-failure'),
    make('no'),
    make('unless-stopped'),
  ])
  await Promise.all(
    [always, stopped, failed, none].map((id) =>
      kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 }),
    ),
  )
  const pids = { left: (await task(left)).pid, running: (await task(running)).pid }
  await kagod.crash()
  process.kill(pids.left ?? 0, 'SIGKILL')
  await kagod.start()
  await eventually(async () => (await task(always)).state === 'running', 'always is started')
  await eventually(async () => (await task(left)).state === 'running', 'what crashed meanwhile is started')
  expect((await task(left)).pid).not.toBe(pids.left)
  expect((await task(running)).pid).toBe(pids.running)
  for (const id of [stopped, failed, none]) expect((await task(id)).state).toBe('exited')
})

test('after a reboot, which leaves no process and no run root, the policies are followed', async () => {
  const make = (policy: 'always' | 'unless-stopped' | 'on-failure' | 'no') =>
    kagod.runDetached({ image, command: ['sleep', '1000'], restart: { policy } })
  const [always, unlessStopped, stopped, none] = await Promise.all([
    make('always'),
    make('unless-stopped'),
    make('unless-stopped'),
    make('no'),
  ])
  await kagod.ok('POST', `/v1/containers/${stopped}/stop`, { timeoutSeconds: 0 })
  await kagod.crash()
  for (const pid of shimsOf(kagod)) process.kill(Number(pid), 'SIGKILL')
  const cgroups = [always, unlessStopped, none].flatMap((id) => listPids(readCgroupLayout(), `/kago/${id}`))
  for (const pid of cgroups) process.kill(pid, 'SIGKILL')
  rmSync(kagod.runRoot, { recursive: true })
  await kagod.start()
  for (const id of [always, unlessStopped]) {
    await eventually(async () => (await task(id)).state === 'running', 'it is started')
  }
  expect((await task(stopped)).state).toBe('exited')
  expect((await task(none)).state).toBe('lost')
})

test('a wait goes on over a restart of the daemon', async () => {
  const id = await waiting()
  const before = await task(id)
  await kagod.crash()
  await kagod.start()
  await eventually(async () => (await task(id)).restartCount > before.restartCount, 'it is started again')
})

test('a start of the policy that fails is tried again', async () => {
  const id = await kagod.runDetached({
    image,
    // It takes its own program away before it ends.
    command: ['/bin/sh', '-c', 'rm -f /bin/sh; exit 1'],
    restart: { policy: 'always' },
  })
  await eventually(async () => (await task(id)).restartCount >= 3, 'it is tried again')
  expect((await task(id)).error).toContain('/bin/sh')
})

test('whoever follows the log of a container sees its next lives too, until it is stopped', async () => {
  const id = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'echo life; exit 1'],
    restart: { policy: 'always' },
  })
  const logs = runCli(['logs', '--follow', id], { host: `unix://${kagod.socket}` })
  await eventually(async () => {
    const { restartCount, state } = await task(id)
    return restartCount >= 3 && state === 'restarting'
  }, 'it has lived thrice')
  await kagod.ok('POST', `/v1/containers/${id}/stop`, {})
  const lives = (await logs).stdout.trimEnd().split('\n')
  expect(lives.length).toBeGreaterThanOrEqual(3)
  expect(new Set(lives)).toEqual(new Set(['life']))
})

test('a container that removes itself cannot have a policy', async () => {
  const reply = await kagod.request('POST', '/v1/containers', {
    image,
    autoRemove: true,
    restart: { policy: 'always' },
  })
  expect(reply).toMatchObject({ status: 400, body: { error: { code: 'invalid_argument' } } })
})
