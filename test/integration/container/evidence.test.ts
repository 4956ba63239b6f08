/** That a container which ended says why: the kernel's counters, the signal, the runtime's words. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Kagod, startKagod } from '../../harness/kagod.ts'

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

test('a process that the kernel killed for memory is told apart from one that somebody killed', async () => {
  const limit = 16 * 1024 * 1024
  const hungry = await kagod.run({
    image,
    command: ['sh', '-c', 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo ${#x}'],
    resources: { memoryBytes: limit, memorySwapBytes: limit },
  })
  const { task } = await kagod.inspect(hungry.id)
  expect(task).toMatchObject({
    oomKilled: true,
    evidence: { kind: 'oom', memory: { limitBytes: limit, oomKills: expect.any(Number) as number } },
  })
  expect(task.evidence?.memory?.oomKills).toBeGreaterThan(0)

  const id = await kagod.runDetached({ image, command: ['sleep', '1000'] })
  await kagod.ok('POST', `/v1/containers/${id}/kill`, {})
  expect((await kagod.inspect(id)).task).toMatchObject({
    oomKilled: false,
    evidence: { kind: 'signal', signal: 'SIGKILL', isManual: true },
  })
})

test('a start that failed keeps what the runtime said, until one succeeds', async () => {
  await kagod.request('POST', '/v1/containers?start=true', { image, name: 'wrong', command: ['/no-such'] })
  expect((await kagod.inspect('wrong')).task).toMatchObject({
    state: 'created',
    exitStatus: 127,
    evidence: { kind: 'start-failed', runtimeLog: expect.stringContaining('/no-such') as string },
  })
})
