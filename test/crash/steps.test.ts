/** Every step of every verb of containers, networks and volumes, with the daemon killed before and after it, or the step failing. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NetworkSummary } from '../../shared/protocol/networks.ts'
import type { OperationDetails, OperationSummary } from '../../shared/protocol/operations.ts'
import { eventually, type Kagod, leftovers, ownLinks, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
const directory = mkdtempSync(join(tmpdir(), 'kago-faults-'))
const plan = join(directory, 'plan')
beforeAll(async () => {
  writeFileSync(plan, '')
  kagod = await startKagod({}, { environment: { KAGO_FAULT_FILE: plan } })
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(directory, { recursive: true })
})

const image = 'localhost/busybox'
const onBin = [{ type: 'volume', source: 'vv', target: '/bin' }]

/** Each kind of operation, perhaps with a word on how: what makes its subject ready, and the request. */
const verbs: Record<string, { prepare?: () => Promise<unknown>; act: () => Promise<unknown> }> = {
  'container.create': {
    act: () => kagod.request('POST', '/v1/containers', { image, name: 'x', command: ['true'] }),
  },
  'container.run': { act: () => kagod.run({ image, name: 'x', command: ['true'], autoRemove: true }) },
  'container.start': {
    prepare: () => kagod.ok('POST', '/v1/containers', { image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('POST', '/v1/containers/x/start'),
  },
  'container.stop': {
    prepare: () => kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('POST', '/v1/containers/x/stop', { timeoutSeconds: 0 }),
  },
  'container.kill': {
    prepare: () => kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('POST', '/v1/containers/x/kill'),
  },
  'container.update': {
    prepare: () => kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('POST', '/v1/containers/x/update', { resources: { pidsLimit: 30 } }),
  },
  'container.pause': {
    prepare: () => kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('POST', '/v1/containers/x/pause'),
  },
  'container.remove': {
    prepare: () => kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] }),
    act: () => kagod.request('DELETE', '/v1/containers/x?force=true'),
  },
  'network.create': {
    act: () => kagod.request('POST', '/v1/networks', { name: 'n', ipv6: true }),
  },
  'network.connect': {
    prepare: async () => {
      await kagod.ok('POST', '/v1/networks', { name: 'n' })
      await kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] })
    },
    act: () => kagod.request('POST', '/v1/networks/n/connect', { container: 'x' }),
  },
  'network.disconnect': {
    prepare: async () => {
      await kagod.ok('POST', '/v1/networks', { name: 'n' })
      await kagod.runDetached({ image, name: 'x', command: ['sleep', '1000'] })
      await kagod.ok('POST', '/v1/networks/n/connect', { container: 'x' })
    },
    act: () => kagod.request('POST', '/v1/networks/bridge/disconnect', { container: 'x' }),
  },
  'network.remove': {
    prepare: () => kagod.ok('POST', '/v1/networks', { name: 'n' }),
    act: () => kagod.request('DELETE', '/v1/networks/n'),
  },
  'container.create that fills a volume': {
    prepare: () => kagod.ok('POST', '/v1/volumes', { name: 'vv' }),
    act: () =>
      kagod.request('POST', '/v1/containers', { image, name: 'x', command: ['true'], mounts: onBin }),
  },
  'container.create that makes a volume': {
    act: () =>
      kagod.request('POST', '/v1/containers', { image, name: 'x', command: ['true'], mounts: onBin }),
  },
  'volume.create': {
    act: () => kagod.request('POST', '/v1/volumes', { name: 'vv' }),
  },
  'volume.clone': {
    prepare: () => kagod.ok('POST', '/v1/volumes', { name: 'vv' }),
    act: () => kagod.request('POST', '/v1/volumes/vv/clone', { name: 'ww' }),
  },
  'volume.rename': {
    prepare: () => kagod.ok('POST', '/v1/volumes', { name: 'vv' }),
    act: () => kagod.request('POST', '/v1/volumes/vv/rename', { name: 'ww' }),
  },
  'volume.remove': {
    prepare: () => kagod.ok('POST', '/v1/volumes', { name: 'vv' }),
    act: () => kagod.request('DELETE', '/v1/volumes/vv'),
  },
}

/** The names of a verb's steps, learned by doing it once: a new step is covered the day it is written. */
async function stepsOf(key: string, kind: string): Promise<string[]> {
  const verb = verbs[key]
  await verb?.prepare?.()
  await verb?.act()
  const operations = await kagod.ok<OperationSummary[]>('GET', '/v1/operations?limit=20')
  const last = operations.find((operation) => operation.kind === kind)
  const details = await kagod.ok<OperationDetails>('GET', `/v1/operations/${last?.id ?? ''}`)
  await clear()
  return details.steps.map((step) => step.name)
}

async function clear(): Promise<void> {
  await kagod.request('DELETE', '/v1/containers/x?force=true')
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left after ${JSON.stringify(leftovers(kagod))}`,
  )
  for (const name of ['vv', 'ww']) await kagod.request('DELETE', `/v1/volumes/${name}`)
  expect(readdirSync(join(kagod.dataRoot, 'volumes'))).toEqual([])
  await kagod.request('DELETE', '/v1/networks/n')
  const networks = () => kagod.ok<NetworkSummary[]>('GET', '/v1/networks')
  await eventually(async () => (await networks())[0]?.containers === 0, 'nobody is in the network')
  expect(await networks()).toMatchObject([{ name: 'bridge' }])
  expect(ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kg-'))).toEqual([])
}

describe.for(Object.keys(verbs))('%s', (key) => {
  test('leaves nothing behind and works the next time, wherever the daemon is killed or a step fails', async () => {
    const [kind = ''] = key.split(' ')
    const steps = await stepsOf(key, kind)
    expect(steps.length).toBeGreaterThan(0)
    for (const step of steps) {
      for (const [when, what] of [
        ['before', 'crash'],
        ['after', 'crash'],
        ['before', 'ENOSPC'],
        ['after', 'EIO'],
      ]) {
        const fault = `${kind}/${step}/${when}/${what}`
        await verbs[key]?.prepare?.()
        writeFileSync(plan, fault)
        await verbs[key]?.act().catch(() => undefined)
        writeFileSync(plan, '')
        if (what === 'crash') {
          await kagod.ended()
          await kagod.start()
        }

        const left = await kagod.list()
        expect(left.length, fault).toBeLessThanOrEqual(1)
        for (const { task } of left) expect(['created', 'running', 'exited'], fault).toContain(task.state)
        await clear()
        const again = await kagod.run({ image, name: 'x', command: ['echo', 'ok'], autoRemove: true })
        expect(again, fault).toMatchObject({ stdout: 'ok\n', exit: 0 })
        await clear()
      }
    }
  }, 600_000)
})
