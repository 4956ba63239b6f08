/** Verbs that meet on one container, and clients that go in the middle: what is recorded stays true, and nobody waits for ever. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { OperationSummary } from '../../../shared/protocol/operations.ts'
import { eventually, type Kagod, leftovers, readRun, shimsOf, startKagod } from '../../harness/kagod.ts'

const image = 'localhost/busybox'
const directory = mkdtempSync(join(tmpdir(), 'kago-slow-'))
const slowRunc = join(directory, 'runc')

let kagod: Kagod
beforeAll(async () => {
  // Its name makes kago treat it as runc; a start with it is long enough for others to come in between.
  writeFileSync(
    slowRunc,
    '#!/bin/sh\nfor word; do [ "$word" = run ] && sleep 2 && break; done\nexec runc "$@"\n',
  )
  chmodSync(slowRunc, 0o755)
  kagod = await startKagod({ runtimes: { slow: { path: slowRunc } } })
})
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
  )
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(directory, { recursive: true })
})

const state = async (id: string) => (await kagod.inspect(id)).task.state
const untilState = (id: string, wanted: string) =>
  eventually(async () => (await state(id)) === wanted, `${id.slice(0, 12)} is ${wanted}`)

test('a container that ends as it is thawed has ended, and is not recorded as running', async () => {
  for (let round = 0; round < 5; round++) {
    const id = await kagod.runDetached({
      image,
      command: ['sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done'],
    })
    await eventually(async () => (await kagod.logs(id)).stdout === 'ready\n', 'its trap is set')
    await kagod.ok('POST', `/v1/containers/${id}/pause`)
    await kagod.ok('POST', `/v1/containers/${id}/kill`, { signal: 'TERM' })
    await kagod.request('POST', `/v1/containers/${id}/unpause`)
    await untilState(id, 'exited')
    expect((await kagod.inspect(id)).task).toMatchObject({ exitStatus: 5, pid: null })
    await kagod.ok('DELETE', `/v1/containers/${id}`)
  }
})

test('pause and kill at the same time leave a container that has ended', async () => {
  for (let round = 0; round < 8; round++) {
    const id = await kagod.runDetached({ image, command: ['sleep', '1000'] })
    const pausing = kagod.request('POST', `/v1/containers/${id}/pause`)
    await sleep(round * 3)
    await Promise.all([pausing, kagod.ok('POST', `/v1/containers/${id}/kill`)])
    expect(await state(id)).toBe('exited')
    await kagod.ok('DELETE', `/v1/containers/${id}`)
  }
})

test('whoever wants it gone at once need not wait for someone else’s patient stop', async () => {
  const deaf = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done']
  const first = await kagod.runDetached({ image, command: deaf })
  const patient = kagod.request('POST', `/v1/containers/${first}/stop`, { timeoutSeconds: 600 })
  await untilState(first, 'stopping')
  await kagod.ok('POST', `/v1/containers/${first}/stop`, { timeoutSeconds: 0 })
  expect((await patient).status).toBe(200)
  expect((await kagod.inspect(first)).task).toMatchObject({ state: 'exited', exitStatus: 137 })

  const second = await kagod.runDetached({ image, command: deaf })
  const other = kagod.request('POST', `/v1/containers/${second}/stop`, { timeoutSeconds: -1 })
  await untilState(second, 'stopping')
  await kagod.ok('DELETE', `/v1/containers/${second}?force=true`)
  expect((await other).status).toBe(200)
  expect((await kagod.request('GET', `/v1/containers/${second}`)).status).toBe(404)
})

test('a container that removes itself at its end is still there after a restart', async () => {
  const id = await kagod.runDetached({ image, autoRemove: true, command: ['sleep', '1000'] })
  await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
  expect(await state(id)).toBe('running')
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
  expect((await kagod.request('GET', `/v1/containers/${id}`)).status).toBe(404)
})

test('who waits for a container whose start then fails is told', async () => {
  const { result } = (
    await kagod.ok<{ result?: { id: string } }[]>('POST', '/v1/containers', {
      image,
      runtime: 'slow',
      command: ['/no-such-program'],
    })
  ).at(-1) ?? { result: undefined }
  const id = result?.id ?? ''
  const starting = kagod.request('POST', `/v1/containers/${id}/start`)
  await untilState(id, 'starting')
  const waiting = kagod.ok<{ exitStatus: number | null }>('GET', `/v1/containers/${id}/wait`)
  expect((await starting).status).toBe(404)
  expect(await waiting).toEqual({ exitStatus: 127 })
})

test('a hundred clients that watch a silent container and go leave room for the next', async () => {
  const id = await kagod.runDetached({ image, stdin: true, command: ['cat'] })
  for (let index = 0; index < 100; index++) {
    const watcher = await kagod.upgrade(`/v1/containers/${id}/attach`, { stdin: false })
    watcher.destroy()
  }
  await sleep(200)
  const last = await kagod.upgrade(`/v1/containers/${id}/attach`, {})
  const reading = readRun(last)
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
  expect((await reading).exit).toBe(137)
})

test('SIGTERM in the middle of a start: the daemon ends when the container is there or gone, and knows which', async () => {
  const running = kagod
    .runDetached({ image, name: 'late', runtime: 'slow', command: ['sleep', '1000'] })
    .catch(() => undefined)
  await eventually(() => shimsOf(kagod).length === 1, 'its shim is there')
  expect(await kagod.stop()).toBe(0)
  await running
  await kagod.start()
  const operations = await kagod.ok<OperationSummary[]>('GET', '/v1/operations?target=late')
  expect(operations.map(({ kind, status }) => `${kind} ${status}`)).toEqual([
    'container.start done',
    'container.create done',
  ])
  expect(await state('late')).toBe('running')
  expect(kagod.log()).not.toMatch(/not open|undo failed/)
})

test('killed in the middle of a start, the daemon comes up again, and what came up without it is ended', async () => {
  const running = kagod
    .runDetached({ image, name: 'cut', runtime: 'slow', command: ['sleep', '1000'] })
    .catch(() => undefined)
  await eventually(() => shimsOf(kagod).length === 1, 'its shim is there')
  await kagod.crash()
  await running
  await kagod.start()
  expect(await state('cut')).toBe('created')
  await eventually(() => shimsOf(kagod).length === 0, 'its shim has ended')
})
