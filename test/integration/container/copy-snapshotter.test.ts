/** Where overlayfs is missing, plain copies serve: the same life, by the other snapshotter. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Info } from '../../../shared/protocol/system.ts'
import { eventually, type Kagod, leftovers, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod({ snapshotter: 'copy' })
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'

test('the daemon says that it copies', async () => {
  expect((await kagod.ok<Info>('GET', '/v1/info')).snapshotter).toBe('copy')
})

test('what one container writes, it keeps over a restart, and no other sees', async () => {
  const id = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'echo x >>/etc/mine; wc -l </etc/mine; sleep 1000'],
  })
  await eventually(async () => (await kagod.logs(id)).stdout === '1\n', 'it has written')
  expect((await kagod.run({ image, command: ['cat', '/etc/mine'], autoRemove: true })).exit).toBe(1)
  await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
  await eventually(async () => (await kagod.logs(id)).stdout === '1\n2\n', 'it has written again')
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})

test('users are looked up in the image, a read-only root is one, and nothing is left', async () => {
  const result = await kagod.run({
    image,
    user: 'root',
    readOnly: true,
    autoRemove: true,
    command: ['sh', '-c', 'id -u; touch /x'],
  })
  expect(result).toMatchObject({ stdout: '0\n', exit: 1 })
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
  )
})
