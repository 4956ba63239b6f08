/** A push, with the daemon killed before and after each of its steps, or the step failing: a tag is absent or whole. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OperationDetails, OperationSummary } from '../../shared/protocol/operations.ts'
import { createRegistryClient, type RegistryClient } from '../../daemon/registry/client.ts'
import { parseReference } from '../../shared/reference.ts'
import { type Kagod, startKagod } from '../harness/kagod.ts'
import { startRegistry, type TestRegistry } from '../harness/registry/registry.ts'

let registry: TestRegistry
let kagod: Kagod
let client: RegistryClient
const directory = mkdtempSync(join(tmpdir(), 'kago-faults-'))
const plan = join(directory, 'plan')

beforeAll(async () => {
  writeFileSync(plan, '')
  registry = await startRegistry({ auth: 'none' })
  kagod = await startKagod({}, { environment: { KAGO_FAULT_FILE: plan } })
  client = createRegistryClient({ insecureRegistries: [], mirrors: {} })
})
afterAll(async () => {
  await client.close()
  await kagod.dispose()
  await registry.close()
  rmSync(directory, { recursive: true })
})

const nameOf = (repository: string) => `${registry.host}/${repository}:1`

async function push(
  repository: string,
): Promise<{ type: string; result?: { digest: string }[] } | undefined> {
  const target = nameOf(repository)
  await kagod.ok('POST', '/v1/images/tag', { source: 'localhost/busybox', target })
  const reply = await kagod.request('POST', '/v1/images/push', { reference: target })
  const lines = (Array.isArray(reply.body) ? reply.body : [reply.body]) as { type: string }[]
  return lines.at(-1)
}

/** Whether the tag is there, with all it lists. */
async function isWhole(repository: string): Promise<boolean> {
  const reference = parseReference(nameOf(repository))
  const head = await client.headManifest(reference)
  if (head === undefined) return false
  const { bytes } = await client.resolve(reference)
  const { layers, config } = JSON.parse(Buffer.from(bytes).toString()) as {
    layers: { digest: `sha256:${string}`; size: number }[]
    config: { digest: `sha256:${string}`; size: number }
  }
  for (const blob of [config, ...layers]) {
    let size = 0
    for await (const chunk of client.fetchBlob(reference, blob)) size += chunk.length
    expect(size).toBe(blob.size)
  }
  return true
}

test('a tag is absent or whole, and the next push succeeds', async () => {
  await push('learn')
  const operations = await kagod.ok<OperationSummary[]>('GET', '/v1/operations?limit=20')
  const learned = operations.find(({ kind }) => kind === 'image.push')
  const { steps } = await kagod.ok<OperationDetails>('GET', `/v1/operations/${learned?.id ?? ''}`)
  expect(steps.length).toBeGreaterThan(3)
  let count = 0
  for (const { name } of steps) {
    for (const [when, what] of [
      ['before', 'crash'],
      ['after', 'crash'],
      ['before', 'ENOSPC'],
      ['after', 'EIO'],
    ]) {
      const fault = `image.push/${name}/${when}/${what}`
      const repository = `faults/n${count++}`
      writeFileSync(plan, fault)
      const last = await push(repository).catch(() => undefined)
      writeFileSync(plan, '')
      if (what === 'crash') {
        await kagod.ended()
        await kagod.start()
      } else expect(JSON.stringify(last), fault).toContain('a fault that was asked for')
      await isWhole(repository)
      expect((await push(repository))?.type, fault).toBe('result')
      expect(await isWhole(repository), fault).toBe(true)
    }
  }
}, 600_000)
