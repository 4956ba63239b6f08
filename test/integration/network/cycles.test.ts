/**
 * Lives with a port, a volume and a network, many of them: nothing that they had grows.
 * `KAGO_CYCLES=1000` makes it a thousand; the table is printed.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type Kagod, leftovers, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
  await kagod.ok('POST', '/v1/networks', { name: 'cycled' })
})
afterAll(async () => {
  await kagod.dispose()
})

const cycles = Number(process.env['KAGO_CYCLES'] ?? 100)
const atOnce = 8

async function life(): Promise<void> {
  const id = await kagod.runDetached({
    image: 'localhost/busybox',
    network: 'cycled',
    publish: [{ containerPort: 80, protocol: 'tcp' }],
    mounts: [{ type: 'volume', target: '/data' }],
    autoRemove: true,
    command: ['sleep', '1000'],
  })
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
}

const lines = (text: string) => text.split('\n').filter(Boolean)
const ask = (program: string, ...args: string[]) => lines(execFileSync(program, args, { encoding: 'utf8' }))

function measure(): Record<string, number> {
  const config = JSON.parse(readFileSync(join(kagod.dataRoot, '../kagod.json'), 'utf8')) as {
    firewallTable: string
  }
  const status = readFileSync(`/proc/${kagod.pid}/status`, 'utf8')
  return {
    mounts: lines(readFileSync(`/proc/${kagod.pid}/mountinfo`, 'utf8')).length,
    links: ask('ip', '-o', 'link').filter((line) => line.includes(' kv')).length,
    'firewall lines': ask('nft', 'list', 'table', 'inet', config.firewallTable).length,
    cgroups: readdirSync('/sys/fs/cgroup', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => kagoGroups(join('/sys/fs/cgroup', name, 'kago'))).length,
    volumes: readdirSync(join(kagod.dataRoot, 'volumes')).length,
    descriptors: readdirSync(`/proc/${kagod.pid}/fd`).length,
    'resident MB': Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024),
  }
}

/** Of this daemon's containers: none is left to ask, so those that were there before do not count. */
const others = new Set<string>()
function kagoGroups(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.length === 64 && !others.has(name))
  } catch {
    return []
  }
}

test(`${cycles} lives with a port, a volume and a network leave everything as it was`, async () => {
  for (const name of readdirSync('/sys/fs/cgroup'))
    for (const group of kagoGroups(join('/sys/fs/cgroup', name, 'kago'))) others.add(group)
  const settled = () =>
    eventually(
      () => Object.values(leftovers(kagod)).every((list) => list.length === 0) && measure()['volumes'] === 0,
      'what the containers had is given back',
    )
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: atOnce }, life))
  await settled()
  const before = measure()
  for (let done = 0; done < cycles; done += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, cycles - done) }, life))
  }
  await settled()
  await eventually(() => (measure()['descriptors'] ?? 0) <= (before['descriptors'] ?? 0) + 4, 'descriptors')
  const after = measure()
  process.stdout.write(
    `after ${cycles} cycles\n${Object.entries(after)
      .map(([what, now]) => `  ${what.padEnd(16)} ${String(before[what]).padStart(5)} → ${now}\n`)
      .join('')}`,
  )
  const { 'resident MB': memory = 0, descriptors: _descriptors, ...counted } = after
  const { 'resident MB': memoryBefore = 0, descriptors: _before, ...countedBefore } = before
  expect(counted).toEqual(countedBefore)
  expect(memory).toBeLessThan(memoryBefore + 40)
  expect(await kagod.ok('GET', '/v1/networks/cycled')).toMatchObject({ containers: [] })
}, 900_000)
