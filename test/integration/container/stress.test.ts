/** Many clients that do anything to a few containers at once: afterwards all records are true and nothing is left. */
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cgroupDirectories, readCgroupLayout } from '../../../daemon/host/cgroup.ts'
import type { CreateBody } from '../../../shared/protocol/containers.ts'
import type { OperationSummary } from '../../../shared/protocol/operations.ts'
import { eventually, type Kagod, leftovers, type Reply, startKagod } from '../../harness/kagod.ts'

const image = 'localhost/busybox'
const clients = 8
const busyMs = 8000
/** A verb that takes longer has hung: none here waits for more than a second. */
const patienceMs = 30_000

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
})

const names = ['a', 'b', 'c', 'd', 'e']
const commands = [
  ['sleep', '1000'],
  ['cat'],
  ['sh', '-c', 'trap "exit 5" TERM; while :; do echo tick; sleep 0.02; done'],
  ['sh', '-c', 'yes | head -c 300000; sleep 0.3; exit 3'],
  ['sh', '-c', 'trap "" TERM; sleep 0.2; while :; do sleep 0.05; done'],
  ['/no-such-program'],
]

/** The same choices for the same seed, as far as the machine's timing lets them be the same run. */
function choices(seed: number) {
  let state = seed
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
  const one = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[below(list.length)] as T
  return { below, one }
}

type Choices = ReturnType<typeof choices>

function creation({ below, one }: Choices): CreateBody {
  return {
    image,
    name: one(names),
    command: one(commands),
    stdin: below(2) === 0,
    autoRemove: below(3) === 0,
  }
}

/** Sends a request and goes away soon, whatever the daemon is doing for it. */
async function leave(path: string, afterMs: number): Promise<Reply> {
  const call = request({ socketPath: kagod.socket, path, headers: { host: 'kago' } })
  call.on('error', () => {})
  call.on('response', (response) => response.on('error', () => {}).resume())
  call.end()
  await sleep(afterMs)
  call.destroy()
  return { status: 0, body: undefined }
}

/** Opens a stream of frames, writes to it if `noise` is given, and goes away soon. */
async function visit(path: string, body: unknown, afterMs: number, noise?: Buffer): Promise<Reply> {
  try {
    const stream = await kagod.upgrade(path, body)
    stream.on('error', () => {})
    stream.resume()
    if (noise !== undefined) stream.write(noise)
    await sleep(afterMs)
    stream.destroy()
  } catch (error) {
    const [, status = '0', text = ''] = /^(\d+): (.*)/s.exec(String((error as Error).message)) ?? []
    return { status: Number(status), body: text }
  }
  return { status: 0, body: undefined }
}

function act(random: Choices): [string, Promise<Reply>] {
  const { below, one } = random
  const name = one(names)
  const of = (rest: string) => `/v1/containers/${name}${rest}`
  const post = (rest: string, body: unknown = {}): [string, Promise<Reply>] => [
    `${name}${rest} ${JSON.stringify(body)}`,
    kagod.request('POST', of(rest), body),
  ]
  const soon = below(150)
  const verbs: (() => [string, Promise<Reply>])[] = [
    () => ['run -d', kagod.request('POST', '/v1/containers?start=true', creation(random))],
    () => ['run -d', kagod.request('POST', '/v1/containers?start=true', creation(random))],
    () => ['create', kagod.request('POST', '/v1/containers', creation(random))],
    () => ['run', visit('/v1/containers/run', { create: creation(random) }, soon)],
    () => post('/start'),
    () => post('/start'),
    () => ['start -a', visit(of('/start-attached'), { stdin: true }, soon)],
    () => post('/stop', { timeoutSeconds: below(2) }),
    () => post('/restart', { timeoutSeconds: 0 }),
    () => post('/kill', { signal: one(['KILL', 'TERM', 'USR1']) }),
    () => post('/pause'),
    () => post('/unpause'),
    () => post('/rename', { name: one(names) }),
    () => post('/update', { resources: { pidsLimit: 50 + below(50) } }),
    () => [`rm -f ${name}`, kagod.request('DELETE', of('?force=true'))],
    () => [`rm ${name}`, kagod.request('DELETE', of(''))],
    () => ['exec', visit(of('/exec'), { command: one([['echo', 'x'], ['cat']]), stdin: true }, soon)],
    () => ['exec -d', kagod.request('POST', of('/exec-detached'), { command: ['sleep', '0.1'] })],
    () => ['attach', visit(of('/attach'), { size: { columns: 80, rows: 24 } }, soon)],
    () => ['noise', visit(of('/attach'), { stdin: true }, soon, Buffer.alloc(100, below(256)))],
    () => ['logs -f', leave(of('/logs?follow=true'), soon)],
    () => ['wait', leave(of('/wait'), soon)],
    () => ['top', kagod.request('GET', of('/top'))],
    () => ['inspect', kagod.request('GET', of(''))],
  ]
  return one(verbs)()
}

const descriptors = () => readdirSync(`/proc/${kagod.pid}/fd`).length
const kagoGroups = (id: string) => cgroupDirectories(readCgroupLayout(), `/kago/${id}`)

test('anything at once on five containers: nobody hangs, nothing is internal, the records are true, nothing is left', async () => {
  const seed = Number(process.env['KAGO_STRESS_SEED'] ?? randomInt(2 ** 31))
  await kagod.run({ image, command: ['true'], autoRemove: true })
  const before = descriptors()
  const wrong = new Set<string>()
  const seen = new Map<string, number>()
  const until = Date.now() + busyMs

  const client = async (index: number) => {
    const random = choices(seed + index)
    while (Date.now() < until) {
      const [what, reply] = act(random)
      const late = Promise.withResolvers<undefined>()
      const timer = setTimeout(() => {
        late.resolve(undefined)
      }, patienceMs)
      const answer = await Promise.race([reply, late.promise]).finally(() => {
        clearTimeout(timer)
      })
      const text = JSON.stringify(answer?.body ?? '')
      if (answer === undefined) wrong.add(`${what} hangs`)
      else if (answer.status === 500 || /"code\\*":\\*"(internal|corrupt)/.test(text)) {
        wrong.add(`${what}: ${text.slice(0, 600)}`)
      } else if (/"message\\*":\\*"[^"\\]*runc (failed|refuses|knows)/.test(text))
        wrong.add(`${what}, in raw words: ${text.slice(0, 600)}`)
      seen.set(what.split(' ')[0] ?? '', (seen.get(what.split(' ')[0] ?? '') ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  expect([...wrong], `seed ${seed}`).toEqual([])
  expect(seen.size).toBeGreaterThan(15)

  expect((await kagod.request('GET', '/v1/ping')).status).toBe(200)
  const settled = async () =>
    (await kagod.list()).every(({ task }) => ['created', 'running', 'paused', 'exited'].includes(task.state))
  await eventually(settled, `every container is at rest: seed ${seed}`)
  for (const { id, task } of await kagod.list()) {
    if (task.pid === null) {
      expect(['created', 'exited'], `${id} seed ${seed}`).toContain(task.state)
    } else {
      expect(readFileSync(`/proc/${task.pid}/cgroup`, 'utf8'), `seed ${seed}`).toContain(id)
    }
  }
  const running = await kagod.ok<OperationSummary[]>('GET', '/v1/operations?limit=1000')
  expect(running.filter(({ status }) => status === 'running')).toEqual([])
  const ids = new Set(running.map(({ target }) => target).filter((target) => /^[0-9a-f]{64}$/.test(target)))

  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}, seed ${seed}`,
  )
  const groups = [...ids].flatMap(kagoGroups)
  await eventually(() => !groups.some((path) => exists(path)), `cgroups go, seed ${seed}`)
  await eventually(() => descriptors() <= before + 2, `descriptors are closed: ${descriptors()} of ${before}`)
  expect(
    kagod
      .log()
      .split('\n')
      .filter((line) => line.includes('"level":"error"')),
    `seed ${seed}`,
  ).toEqual([])
}, 180_000)

function exists(path: string): boolean {
  try {
    readdirSync(path)
    return true
  } catch {
    return false
  }
}
