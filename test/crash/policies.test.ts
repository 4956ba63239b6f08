/** That a restart policy is followed wherever the daemon is killed, or a step fails, in a start of the policy’s own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { OperationDetails } from '../../shared/protocol/operations.ts'
import { eventually, type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
const directory = mkdtempSync(join(tmpdir(), 'kago-faults-'))
const plan = join(directory, 'plan')
beforeAll(async () => {
  writeFileSync(plan, '')
  kagod = await startKagod({}, { environment: { KAGO_FAULT_FILE: plan } })
})
afterEach(async () => {
  writeFileSync(plan, '')
  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(directory, { recursive: true })
})

const image = 'localhost/busybox'
const task = async (id: string) => (await kagod.inspect(id)).task

/** One that crashes until there is a file, and runs from then on. */
async function crashing(policy: 'always' | 'on-failure'): Promise<string> {
  return await kagod.runDetached({
    image,
    restart: { policy },
    command: ['sh', '-c', 'test $(wc -l </lives) -ge 3 && exec sleep 1000; echo >>/lives; exit 1'],
  })
}

/** The steps of a start, learned from one. */
async function startSteps(): Promise<string[]> {
  const id = await kagod.runDetached({ image, command: ['sleep', '1000'] })
  const { steps } = await kagod.ok<OperationDetails>('GET', `/v1/operations/${id}`)
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  return steps.map(({ name }) => name)
}

test.for(['always', 'on-failure'] as const)('%s is followed wherever the daemon dies', async (policy) => {
  for (const step of await startSteps()) {
    for (const when of ['before', 'after']) {
      const id = await crashing(policy)
      writeFileSync(plan, `container.start/${step}/${when}/crash`)
      await kagod.ended()
      writeFileSync(plan, '')
      await kagod.start()
      await eventually(async () => (await task(id)).state === 'running', `it runs after ${when} ${step}`)
      await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
    }
  }
})

test('a step that fails for a while only delays it', async () => {
  for (const step of await startSteps()) {
    const id = await crashing('always')
    writeFileSync(plan, `container.start/${step}/after/EIO`)
    await eventually(async () => (await task(id)).error !== null, `a start fails after ${step}`)
    writeFileSync(plan, '')
    await eventually(async () => (await task(id)).state === 'running', 'it runs')
    expect((await task(id)).error).toBeNull()
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  }
})
