/** Events of real containers, over the wire and by the command line, also over a restart of the daemon. */
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Event } from '../../../shared/protocol/events.ts'
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
const moment = () => encodeURIComponent(new Date().toISOString())

/** What happened between a time and now. */
async function past(since: string, filter = ''): Promise<Event[]> {
  const lines = await kagod.ok<(Event | { type: 'result' })[]>(
    'GET',
    `/v1/events?since=${since}&until=${moment()}${filter}`,
  )
  expect(lines.at(-1)).toEqual({ type: 'result', result: {} })
  return lines.slice(0, -1) as Event[]
}

test('a life is told with its name, image, labels and exit status', async () => {
  const since = moment()
  const { id } = await kagod.run({
    image,
    name: 'told',
    labels: { tier: 'web' },
    command: ['sh', '-c', 'exit 3'],
    autoRemove: true,
  })
  const events = await past(since, `&filter=container=${id}`)
  expect(events.map(({ action }) => action)).toEqual(['create', 'start', 'die', 'destroy'])
  for (const { attributes } of events) expect(attributes).toMatchObject({ name: 'told', image, tier: 'web' })
  expect(events[2]?.attributes['exitCode']).toBe('3')
})

test('stop, kill, pause, rename and update are told', async () => {
  const since = moment()
  const id = await kagod.runDetached({ image, name: 'before', init: true, command: ['sleep', '1000'] })
  await kagod.ok('POST', `/v1/containers/${id}/pause`, {})
  await kagod.ok('POST', `/v1/containers/${id}/unpause`, {})
  await kagod.ok('POST', `/v1/containers/${id}/rename`, { name: 'after' })
  await kagod.ok('POST', `/v1/containers/${id}/update`, { resources: { pidsLimit: 100 } })
  await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
  await kagod.ok('POST', `/v1/containers/${id}/start`, {})
  await kagod.ok('POST', `/v1/containers/${id}/kill`, {})
  const events = await past(since, '&filter=type=container')
  expect(events.map(({ action }) => action)).toEqual(
    'create start pause unpause rename update die stop start kill die'.split(' '),
  )
  expect(events.find(({ action }) => action === 'rename')?.attributes).toMatchObject({
    oldName: 'before',
    name: 'after',
  })
})

test('the history is there after the daemon was killed, and tells of its start', async () => {
  const since = moment()
  const id = await kagod.runDetached({ image, command: ['sleep', '1000'] })
  await kagod.crash()
  await kagod.start()
  await kagod.ok('POST', `/v1/containers/${id}/kill`, {})
  const events = await past(since)
  expect(events.map(({ type, action }) => `${type} ${action}`)).toEqual([
    'container create',
    'container start',
    'daemon start',
    'container kill',
    'container die',
  ])
  const numbers = events.map(({ seq }) => seq)
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
})

test('news come as they happen', async () => {
  const seen: Event[] = []
  const call = request({ socketPath: kagod.socket, path: '/v1/events', headers: { host: 'kago' } })
  const connected = new Promise<void>((resolve, reject) => {
    call.on('error', reject)
    call.on('response', (response) => {
      // Its end is the test's.
      response.on('error', () => {})
      resolve()
      let rest = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) seen.push(JSON.parse(line) as Event)
      })
    })
  })
  call.end()
  await connected
  await kagod.run({ image, command: ['true'], autoRemove: true })
  await eventually(() => seen.length === 4, 'all four are told')
  expect(seen.map(({ action }) => action)).toEqual(['create', 'start', 'die', 'destroy'])
  call.destroy()
})

test('kago events --since prints what happened, as text and as Docker’s JSON', async () => {
  const since = new Date().toISOString()
  const id = await kagod.runDetached({ image, name: 'line', command: ['sleep', '1000'] })
  const host = `unix://${kagod.socket}`
  const until = new Date().toISOString()
  const text = await runCli(['events', '--since', since, '--until', until], { host })
  expect(text.stdout.split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^\\S+Z container create ${id} \\(image=${image}, name=line\\)$`)),
    expect.stringMatching(new RegExp(`^\\S+Z container start ${id} `)),
    '',
  ])
  const json = await runCli(['events', '--since', since, '--until', until, '--json'], { host })
  expect(JSON.parse(json.stdout.split('\n')[1] ?? '')).toMatchObject({
    status: 'start',
    id,
    from: image,
    Type: 'container',
    Action: 'start',
    Actor: { ID: id, Attributes: { name: 'line' } },
  })
})

test('kago events goes on when the daemon is restarted, and misses nothing', async () => {
  const since = new Date().toISOString()
  await kagod.runDetached({ image, command: ['sleep', '1000'] })
  const names: string[] = []
  await runCli(['events', '--since', since, '--format', '{{.Type}} {{.Action}}'], {
    host: `unix://${kagod.socket}`,
    meanwhile: async (child) => {
      createInterface({ input: child.stdout }).on('line', (line) => names.push(line))
      await eventually(() => names.length === 2, 'the history is told')
      await kagod.crash()
      await kagod.start()
      await kagod.runDetached({ image, command: ['sleep', '1000'] })
      await eventually(() => names.length === 5, `news are told again: ${names.join()}`)
      child.kill('SIGTERM')
    },
  })
  expect(names).toEqual([
    'container create',
    'container start',
    'daemon start',
    'container create',
    'container start',
  ])
})
