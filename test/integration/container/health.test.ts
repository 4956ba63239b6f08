/** Health checks in real containers: by exec, with a timeout that kills, and what is done to the unhealthy. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { HealthRequest } from '../../../shared/protocol/health.ts'
import type { OperationSummary } from '../../../shared/protocol/operations.ts'
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
const run = (health: HealthRequest, command = ['sleep', '1000'], more: object = {}) =>
  kagod.runDetached({ image, command, health: { intervalMs: 50, retries: 2, ...health }, ...more })
const health = async (id: string) => (await kagod.inspect(id)).health
const status = async (id: string) => (await health(id))?.status

test('what it answers decides: starting, healthy, unhealthy, healthy again', async () => {
  const id = await run({ shell: 'echo looking; echo bad >&2; test ! -e /ill' })
  await eventually(async () => (await status(id)) === 'healthy', 'it is healthy')
  expect((await health(id))?.log.at(-1)).toMatchObject({ exitStatus: 0, output: 'looking\nbad\n' })
  await kagod.ok('POST', `/v1/containers/${id}/exec-detached`, { command: ['touch', '/ill'] })
  await eventually(async () => (await status(id)) === 'unhealthy', 'it is unhealthy')
  const listed = await kagod.ok<{ id: string }[]>('GET', '/v1/containers?filter=health=unhealthy')
  expect(listed.map((one) => one.id)).toEqual([id])
  await kagod.ok('POST', `/v1/containers/${id}/exec-detached`, { command: ['rm', '/ill'] })
  await eventually(async () => (await status(id)) === 'healthy', 'it is well again')
  await eventually(async () => (await health(id))?.log.length === 5, 'the last five are kept')
})

test('a check that takes too long is killed with all it began, and has failed', async () => {
  const id = await run({ shell: 'echo begun; sleep 777 & sleep 777', timeoutMs: 300 })
  await eventually(async () => (await status(id)) === 'unhealthy', 'it is unhealthy')
  const [first] = (await health(id))?.log ?? []
  expect(first).toMatchObject({ exitStatus: null, output: expect.stringContaining('begun\n') as string })
  expect(first?.output).toContain('longer than 300ms')
  const { processes } = await kagod.ok<{ processes: { command: string }[] }>(
    'GET',
    `/v1/containers/${id}/top`,
  )
  expect(processes.filter(({ command }) => command.includes('777')).length).toBeLessThanOrEqual(3)
})

test('a command that is not there has failed with 127, and long output is cut', async () => {
  const missing = await run({ command: ['/no/such'] })
  await eventually(async () => (await status(missing)) === 'unhealthy', 'it is unhealthy')
  expect((await health(missing))?.log[0]?.exitStatus).toBe(127)
  const loud = await run({ shell: 'yes | head -c 100000' })
  await eventually(async () => (await status(loud)) === 'healthy', 'it is healthy')
  expect((await health(loud))?.log[0]?.output.length).toBe(4096)
})

test('restart: an unhealthy container is started again, and begins as starting', async () => {
  const id = await run(
    { shell: 'test ! -e /ill', onFailure: 'restart' },
    ['sh', '-c', 'rm -f /ill; exec sleep 1000'],
    { stopTimeoutSeconds: 0 },
  )
  await eventually(async () => (await status(id)) === 'healthy', 'it is healthy')
  const { pid } = (await kagod.inspect(id)).task
  await kagod.ok('POST', `/v1/containers/${id}/exec-detached`, { command: ['touch', '/ill'] })
  await eventually(async () => (await kagod.inspect(id)).task.restartCount === 1, 'it is started again')
  await eventually(async () => (await status(id)) === 'healthy', 'it is well again')
  expect((await kagod.inspect(id)).task).toMatchObject({ state: 'running', restartCount: 1 })
  expect((await kagod.inspect(id)).task.pid).not.toBe(pid)
})

test('stop leaves it stopped; kill leaves it to its restart policy', async () => {
  const policy = { restart: { policy: 'always' }, stopTimeoutSeconds: 0 }
  const [stopped, killed] = await Promise.all([
    run({ shell: 'false', onFailure: 'stop' }, undefined, policy),
    run({ shell: 'false', onFailure: 'kill' }, undefined, policy),
  ])
  await eventually(async () => (await kagod.inspect(killed)).task.restartCount >= 1, 'it comes back')
  await eventually(async () => (await kagod.inspect(stopped)).task.state === 'exited', 'it is stopped')
  expect((await kagod.inspect(stopped)).task.restartCount).toBe(0)
})

test('checks go on after the daemon was killed, and one that it left behind is ended', async () => {
  const id = await run({ shell: 'rm /hang 2>/dev/null && sleep 555; true', timeoutMs: 60_000 })
  await eventually(async () => (await status(id)) === 'healthy', 'it is healthy')
  await kagod.ok('POST', `/v1/containers/${id}/exec-detached`, { command: ['touch', '/hang'] })
  const hanging = async () => {
    const { processes } = await kagod.ok<{ processes: { command: string }[] }>(
      'GET',
      `/v1/containers/${id}/top`,
    )
    return processes.filter(({ command }) => command === 'sleep 555').length
  }
  await eventually(async () => (await hanging()) > 0, 'a check hangs')
  const before = (await health(id))?.log.at(-1)?.finishedAt ?? ''
  await kagod.crash()
  await kagod.start()
  await eventually(
    async () => ((await health(id))?.log.at(-1)?.finishedAt ?? '') > before && shimsOf(kagod).length < 3,
    'it is asked again',
  )
  expect(await hanging()).toBe(0)
})

test('a daemon that is told to end does not wait for a check that hangs', async () => {
  const id = await run({ shell: 'sleep 555', timeoutMs: 600_000 })
  await eventually(() => shimsOf(kagod).length === 2, 'a check hangs')
  expect(await kagod.stop()).toBe(0)
  await eventually(() => shimsOf(kagod).length === 1, 'the check has ended, its container has not')
  await kagod.start()
  expect((await kagod.inspect(id)).task.state).toBe('running')
})

test('checks are in no journal and leave no files', async () => {
  const id = await run({ shell: 'true' })
  await eventually(async () => ((await health(id))?.log.length ?? 0) >= 3, 'it was asked')
  const operations = await kagod.ok<OperationSummary[]>('GET', `/v1/operations?target=${id}`)
  expect(operations.map(({ kind }) => kind)).toEqual(['container.start', 'container.create'])
})
