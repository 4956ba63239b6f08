/** What real containers use, by the protocol, by the command line, and for Prometheus. */
import { spawn } from 'node:child_process'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { StatsSample } from '../../../shared/protocol/stats.ts'
import { buildCli, cliEnvironment, runCli } from '../../harness/cli.ts'
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
const host = () => `unix://${kagod.socket}`
const megabyte = 1024 * 1024

async function sample(query = ''): Promise<StatsSample> {
  const [line] = await kagod.ok<StatsSample[]>('GET', `/v1/stats?once=true${query}`)
  if (line === undefined) throw new Error('no sample')
  return line
}

test('processor, memory and processes are those of the container', async () => {
  const busy = await kagod.runDetached({
    image,
    name: 'busy',
    command: ['sh', '-c', 'sleep 1000 & while :; do :; done'],
    resources: { nanoCpus: 500_000_000 },
  })
  const full = await kagod.runDetached({
    image,
    name: 'full',
    command: ['sh', '-c', 'x=$(head -c 20000000 /dev/zero | tr "\\0" x); echo ready; sleep 1000; true'],
    resources: { memoryBytes: 256 * megabyte },
  })
  await eventually(async () => (await kagod.logs(full)).stdout === 'ready\n', 'it holds its memory')
  const { containers } = await sample()
  const of = (id: string) => containers.find((one) => one.id === id)
  expect(of(busy)?.cpuPercent).toBeGreaterThan(5)
  expect(of(busy)?.pids).toBe(2)
  expect(of(full)?.memoryBytes).toBeGreaterThan(19_000_000)
  expect(of(full)?.memoryBytes).toBeLessThan(256 * megabyte)
  expect(of(full)?.memoryLimitBytes).toBe(256 * megabyte)
})

test('those that do not run are shown if asked for, with nothing', async () => {
  const { id } = await kagod.run({ image, command: ['true'] })
  expect((await sample()).containers).toEqual([])
  const { containers } = await sample('&all=true')
  expect(containers).toMatchObject([{ id, cpuPercent: null, memoryBytes: null, pids: null }])
  expect((await kagod.request('GET', '/v1/stats?container=nobody')).status).toBe(404)
})

test('kago stats --no-stream prints a table, --format json what Docker prints', async () => {
  await kagod.runDetached({ image, name: 'one', command: ['sleep', '1000'] })
  const table = await runCli(['stats', '--no-stream'], { host: host() })
  const [head, row] = table.stdout.split('\n')
  expect(head).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/)
  expect(row).toMatch(/^[0-9a-f]{12} +one +\d+\.\d\d% +[\d.]+\w+ \/ [\d.]+GiB +\d+\.\d\d% +.* 1$/)
  const json = await runCli(['stats', '--no-stream', '--format', 'json', 'one'], { host: host() })
  expect(JSON.parse(json.stdout)).toMatchObject({
    Name: 'one',
    PIDs: '1',
    CPUPerc: expect.stringMatching(/%$/),
  })
})

test('kago stats goes on until it is ended', async () => {
  await kagod.runDetached({ image, name: 'one', command: ['sleep', '1000'] })
  const child = spawn(process.execPath, [await buildCli(), 'stats', '--format', '{{.Name}}'], {
    env: cliEnvironment({ host: host() }),
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await eventually(() => text === 'one\none\n', 'two samples')
  child.kill('SIGINT')
})

test('GET /metrics tells all that runs, what is kept, and how long operations took', async () => {
  const id = await kagod.runDetached({ image, name: 'counted', command: ['sleep', '1000'] })
  const reply = await kagod.request('GET', '/metrics')
  const text = Buffer.isBuffer(reply.body) ? reply.body.toString() : ''
  for (const line of text.trimEnd().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? -?[\d.e+-]+)$/)
  }
  expect(text).toContain('kago_containers{state="running"} 1\n')
  expect(text).toContain(`kago_container_pids{id="${id}",name="counted",image="${image}"} 1\n`)
  expect(text).toMatch(/kago_container_memory_bytes\{[^}]*\} [1-9]\d+\n/)
  expect(text).toMatch(/kago_kept_bytes\{kind="images"\} [1-9]\d+\n/)
  expect(text).toMatch(/kago_operation_duration_seconds_count\{kind="container.start",status="done"\} \d+\n/)
  expect(text).toMatch(/process_resident_memory_bytes [1-9]\d+\n/)
})
