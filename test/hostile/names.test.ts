/** A container that attacks its network's name server hurts neither its neighbours nor the daemon. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(() => kagod.dispose())

const kago = (...args: string[]) => runCli(args, { host: `unix://${kagod.socket}` })
const flood = join(import.meta.dirname, 'name-flood-program.ts')
const descriptors = () => readdirSync(`/proc/${kagod.pid}/fd`).length

test('garbage and floods from one container leave the names of the others', async () => {
  await kago('network', 'create', 'shared')
  const start = (name: string) =>
    kagod.runDetached({ image: 'localhost/busybox', name, network: 'shared', command: ['sleep', '1000'] })
  for (const name of ['victim', 'attacker', 'neighbour']) await start(name)
  const conf = (await kago('exec', 'attacker', 'cat', '/etc/resolv.conf')).stdout
  const server = /nameserver (\S+)/.exec(conf)?.[1] ?? ''
  const { pid } = (await kagod.inspect('attacker')).task
  const before = descriptors()

  const attack = promisify(execFile)('nsenter', [
    `--net=/proc/${pid}/ns/net`,
    '--',
    process.execPath,
    flood,
    server,
    '100000',
  ])
  const answers: number[] = []
  const done = attack.then(() => true)
  do {
    const { status } = await kago('exec', 'neighbour', 'nslookup', '-type=a', 'victim.')
    answers.push(status ?? -1)
  } while (!(await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 100, false))])))

  expect(new Set(answers)).toEqual(new Set([0]))
  // Questions that are under way end in a few seconds, and give back what they hold.
  await eventually(() => descriptors() <= before + 2, 'that the daemon closed what the attack opened')
  expect((await kagod.request('GET', '/v1/ping')).status).toBe(200)
})
