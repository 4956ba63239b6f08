import { beforeAll, expect, test } from 'vitest'
import { changedRecord } from '../../../../daemon/container/changed-options.ts'
import { resolveOptions } from '../../../../daemon/container/create-options.ts'
import type { ContainerRecord } from '../../../../daemon/container/record.ts'
import { readHostFacts } from '../../../../daemon/host/features.ts'
import { capabilityNames } from '../../../../daemon/runtime/spec/capabilities.ts'
import type { UpdateBody } from '../../../../shared/protocol/containers.ts'

const id = 'a'.repeat(64)
const host = readHostFacts(capabilityNames)
let record: ContainerRecord
beforeAll(() => {
  const image = {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['FROM_IMAGE=1', 'BOTH=image'], Cmd: ['true'], Labels: { of: 'image' } },
    rootfs: { diff_ids: [] },
    history: [],
  }
  const body = { image: 'x', env: ['BOTH=mine', 'MINE=1'], labels: { a: '1', b: '2' } }
  record = { ...resolveOptions(id, body, image, host) } as ContainerRecord
})

const change = (body: UpdateBody) => changedRecord(id, record, body, host)
const environment = (body: UpdateBody) =>
  change(body).process.env.filter((entry) => /^(FROM_IMAGE|BOTH|MINE|NEW)=/.test(entry))

test('limits are changed one by one', () => {
  const { options } = change({ resources: { pidsLimit: 5 } })
  expect(
    changedRecord(id, { ...record, options }, { resources: { memoryBytes: 1e8 } }, host).options,
  ).toMatchObject({ resources: { pidsLimit: 5, memoryBytes: 1e8 } })
})

test('labels come, change and go', () => {
  expect(change({ labelAdd: { b: '3', c: '4' }, labelRemove: ['a', 'of'] }).options.labels).toEqual({
    b: '3',
    c: '4',
  })
})

test('a variable that is removed is gone, whoever set it, and can be set again', () => {
  expect(environment({ envRemove: ['BOTH', 'FROM_IMAGE'] })).toEqual(['MINE=1'])
  expect(environment({ envAdd: ['MINE=2', 'NEW=3'] })).toEqual([
    'FROM_IMAGE=1',
    'BOTH=mine',
    'MINE=2',
    'NEW=3',
  ])
  const without = change({ envRemove: ['FROM_IMAGE'] })
  const again = changedRecord(id, without, { envAdd: ['FROM_IMAGE=2'] }, host)
  expect(again.process.env).toContain('FROM_IMAGE=2')
})

test('a policy that cannot be, and a change of nothing, are refused', () => {
  expect(() => change({ restart: { policy: 'always', maximumRetries: 3 } })).toThrow('no number of retries')
  expect(() => change({})).toThrow('nothing to change')
  expect(() => change({ resources: {}, labelAdd: {} })).toThrow('nothing to change')
  expect(() => change({ envRemove: ['A=1'] })).toThrow('not the name of a variable')
})
