/** That what `update` changes is so: at once where it can be, with the next start where it cannot. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'

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
const update = (...words: string[]) => runCli(['update', ...words], { host: `unix://${kagod.socket}` })

test('a policy that is given to a running container is followed; one that is taken away is not', async () => {
  const id = await kagod.runDetached({ image, name: 'web', init: true, command: ['sleep', '1000'] })
  expect(await update('--restart', 'always', 'web')).toMatchObject({ status: 0, stdout: 'web\n' })
  await kagod.ok('POST', `/v1/containers/${id}/kill`, { signal: 'HUP' })
  await eventually(async () => (await kagod.inspect(id)).task.restartCount === 1, 'it is brought back')
  await eventually(async () => (await kagod.inspect(id)).task.state === 'running', 'it runs')
  await update('--restart', 'no', 'web')
  await kagod.ok('POST', `/v1/containers/${id}/kill`, { signal: 'HUP' })
  await eventually(async () => (await kagod.inspect(id)).task.state === 'exited', 'it is left')
})

test('a container that waits for its next start is let go when its policy goes', async () => {
  const id = await kagod.runDetached({ image, command: ['false'], restart: { policy: 'always' } })
  await eventually(async () => {
    const { restartAt } = (await kagod.inspect(id)).task
    return restartAt !== null && Date.parse(restartAt) - Date.now() > 700
  }, 'it waits long')
  await update('--restart', 'no', id)
  expect((await kagod.inspect(id)).task).toMatchObject({ state: 'exited', restartAt: null })
})

test('labels change at once, the environment with the next start', async () => {
  const id = await kagod.runDetached({
    image,
    env: ['A=1', 'B=2'],
    labels: { old: '1' },
    command: ['sh', '-c', 'echo "[$A$B$C]"; sleep 1000'],
  })
  await update('--label-add', 'new=2', '--label-rm', 'old', '--env-add', 'C=3', '--env-rm', 'A', id)
  const listed = await kagod.ok<{ id: string }[]>('GET', '/v1/containers?filter=label=new=2')
  expect(listed.map((one) => one.id)).toEqual([id])
  expect((await kagod.inspect(id)).options.labels).toEqual({ new: '2' })
  expect((await kagod.inspect(id)).process.env).toEqual(expect.arrayContaining(['B=2', 'C=3']))
  await eventually(async () => (await kagod.logs(id)).stdout === '[12]\n', 'it ran with the old one')
  await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
  await eventually(async () => (await kagod.logs(id)).stdout === '[12]\n[23]\n', 'it runs with the new one')
})

test('an update of nothing says so', async () => {
  expect(await update('web')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('nothing to change'),
  })
})
