import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type Kagod, leftovers, shimsOf, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'

test('kill -9 with ten containers: all go on, their logs are whole, their exit statuses are true', async () => {
  const gate = mkdtempSync(join(tmpdir(), 'kago-gate-'))
  const ids = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      kagod.runDetached({
        image,
        name: `c${index}`,
        mounts: [{ type: 'bind', source: gate, target: '/gate' }],
        // The first three end while there is no daemon, each with a status of its own.
        command: [
          'sh',
          '-c',
          index < 3
            ? `echo begin; until [ -e /gate/open ]; do sleep 0.05; done; echo end; exit ${20 + index}`
            : `i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.1; done; sleep 1000`,
        ],
      }),
    ),
  )
  const before = await Promise.all(ids.map((id) => kagod.inspect(id)))
  await kagod.crash()
  expect(shimsOf(kagod).length).toBe(10)
  writeFileSync(join(gate, 'open'), '')
  await eventually(() => shimsOf(kagod).length === 7, 'three containers end without a daemon')
  await kagod.start()

  const after = await Promise.all(ids.map((id) => kagod.inspect(id)))
  for (const [index, container] of after.entries()) {
    if (index < 3) {
      expect(container.task).toMatchObject({ state: 'exited', exitStatus: 20 + index, exitSignal: null })
      expect(await kagod.logs(container.id)).toEqual({ stdout: 'begin\nend\n', stderr: '' })
    } else {
      expect(container.task).toMatchObject({ state: 'running', pid: before[index]?.task.pid })
    }
  }
  const expected = Array.from({ length: 2000 }, (_, line) => `line ${line}\n`).join('')
  for (const { id } of after.slice(3)) {
    await eventually(
      async () => (await kagod.logs(id)).stdout.length >= expected.length,
      'the log is complete',
    )
    expect((await kagod.logs(id)).stdout).toBe(expected)
  }

  const started = performance.now()
  await Promise.all(ids.map((id) => kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })))
  expect(performance.now() - started).toBeLessThan(60_000)
  for (const { task } of (await kagod.list()).filter((container) => Number(container.name.slice(1)) >= 3)) {
    expect(task).toMatchObject({ state: 'exited', exitStatus: 137, exitSignal: 9 })
  }
  for (const id of ids) await kagod.ok('DELETE', `/v1/containers/${id}`)
  rmSync(gate, { recursive: true })
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
  )
})

test('a second start after a crash finds nothing more to do', async () => {
  const id = await kagod.runDetached({ image, name: 'steady', command: ['sleep', '1000'] })
  await kagod.crash()
  await kagod.start()
  const first = await kagod.inspect(id)
  await kagod.crash()
  await kagod.start()
  expect(await kagod.inspect(id)).toEqual(first)
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})

test('a container that removes itself and ends while there is no daemon is gone after the next start', async () => {
  await kagod.runDetached({ image, name: 'brief', command: ['sleep', '0.5'], autoRemove: true })
  await kagod.crash()
  await eventually(() => shimsOf(kagod).length === 0, 'it ends')
  await kagod.start()
  expect(await kagod.list()).toEqual([])
  await eventually(() => leftovers(kagod)['containers']?.length === 0, 'its files go')
})

test('a shim that is killed leaves a container that is lost, not one that seems to run', async () => {
  const id = await kagod.runDetached({ image, name: 'orphan', command: ['sleep', '1000'] })
  const [shim] = shimsOf(kagod)
  process.kill(Number(shim), 'SIGKILL')
  await eventually(async () => (await kagod.inspect(id)).task.state === 'lost', 'the loss is noticed')
  expect((await kagod.inspect(id)).task).toMatchObject({ exitStatus: null, pid: null })
  await kagod.ok('POST', `/v1/containers/${id}/start`)
  expect((await kagod.inspect(id)).task.state).toBe('running')
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})

test('SIGTERM ends the daemon with status 0 and touches no container', async () => {
  const id = await kagod.runDetached({ image, name: 'calm', command: ['sleep', '1000'] })
  const { pid } = (await kagod.inspect(id)).task
  expect(await kagod.stop()).toBe(0)
  await kagod.start()
  expect((await kagod.inspect(id)).task).toMatchObject({ state: 'running', pid })
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})

test('a second kagod on the same roots refuses to start and names the first', () => {
  const second = spawnSync(
    process.execPath,
    [
      join(import.meta.dirname, '../../dist/kagod.mjs'),
      '--data-root',
      kagod.dataRoot,
      '--run-root',
      kagod.runRoot,
    ],
    { encoding: 'utf8' },
  )
  expect(second.status).toBe(4)
  expect(second.stderr).toContain(`another kagod (pid ${kagod.pid}) works on ${kagod.dataRoot}`)
})
