/** Many short lives, and what is left of them: nothing. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cgroupDirectories, readCgroupLayout } from '../../../daemon/host/cgroup.ts'
import { eventually, type Kagod, leftovers, readRun, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'
const descriptors = () => readdirSync(`/proc/${kagod.pid}/fd`).length
const residentMegabytes = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${kagod.pid}/status`, 'utf8'))?.[1]) / 1024
const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length
const exists = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined

/** One life: run, something beside it, somebody who watches and leaves, the end. */
async function life(): Promise<string> {
  const id = await kagod.runDetached({ image, stdin: true, autoRemove: true, command: ['cat'] })
  const [exec, watcher] = await Promise.all([
    kagod.upgrade(`/v1/containers/${id}/exec`, { command: ['echo', 'beside'] }),
    kagod.upgrade(`/v1/containers/${id}/attach`, {}),
  ])
  expect((await readRun(exec)).stdout).toBe('beside\n')
  watcher.destroy()
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
  return id
}

test('two hundred lives leave no mount, no cgroup, no descriptor, no process, no file and no memory behind', async () => {
  const layout = readCgroupLayout()
  for (let round = 0; round < 10; round++) await life()
  const before = { descriptors: descriptors(), mounts: mounts(), memory: residentMegabytes() }
  const ids: string[] = []
  for (let round = 0; round < 25; round++) ids.push(...(await Promise.all(Array.from({ length: 8 }, life))))
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    'what the containers had is given back',
  )
  const cgroups = ids.flatMap((id) => cgroupDirectories(layout, `/kago/${id}`))
  await eventually(() => !cgroups.some(exists), `no cgroup is left: ${cgroups.filter(exists).join(' ')}`)
  await eventually(() => descriptors() <= before.descriptors + 2, 'descriptors are closed')
  expect(mounts()).toBe(before.mounts)
  expect(await kagod.list()).toEqual([])
  expect(await kagod.ok('GET', '/v1/networks')).toMatchObject([{ name: 'bridge', containers: 0 }])
  expect(residentMegabytes()).toBeLessThan(before.memory + 40)
}, 300_000)
