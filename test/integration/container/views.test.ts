/** What a user sees of containers that run: their logs together, their processes, their end. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CreateBody } from '../../../shared/protocol/containers.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(() => kagod.dispose())

const kago = (...args: string[]) => runCli(args, { host: `unix://${kagod.socket}` })
const start = (name: string, script: string, more: Partial<CreateBody> = {}) =>
  kagod.runDetached({
    image: 'localhost/busybox',
    network: 'none',
    name,
    command: ['sh', '-c', script],
    ...more,
  })
const ended = (id: string) =>
  eventually(async () => (await kagod.inspect(id)).task.state === 'exited', `the end of ${id}`)

describe('logs', () => {
  test('of two containers are in the order in which they were written', async () => {
    await start('first', 'echo one; until [ -e /go ]; do sleep 0.02; done; echo three')
    await eventually(async () => (await kagod.logs('first')).stdout === 'one\n', 'one')
    await start('second', 'echo two >&2')
    await ended('second')
    await kago('exec', 'first', 'touch', '/go')
    await ended('first')
    const { stdout, stderr, status } = await kago('logs', 'first', 'second')
    expect([stdout, stderr, status]).toEqual(['first  | one\nfirst  | three\n', 'second | two\n', 0])
  })

  test('of two containers are followed to the end of both', async () => {
    await start('slow', 'sleep 0.2; echo a')
    await start('slower', 'sleep 0.4; echo b')
    const { stdout } = await kago('logs', '-f', 'slow', 'slower')
    expect(stdout).toBe('slow   | a\nslower | b\n')
  })

  test('have the labels before each line when details are asked for', async () => {
    await start('labelled', 'echo a; echo b >&2', { labels: { tier: 'a b', app: 'x' } })
    await ended('labelled')
    expect(await kago('logs', '--details', 'labelled')).toMatchObject({
      stdout: 'app=x,tier=a%20b a\n',
      stderr: 'app=x,tier=a%20b b\n',
    })
    expect((await kago('logs', '--details', '-t', 'labelled')).stdout).toMatch(/Z app=x,tier=a%20b a\n$/)
  })

  test('with times have the longest lines whole', async () => {
    await start('long', 'head -c 3000000 /dev/zero | tr "\\0" x; echo')
    await ended('long')
    const { stdout, status } = await kago('logs', '-t', 'long')
    expect(status).toBe(0)
    expect(stdout.replace(/\d{4}-[^ ]+Z /g, '')).toBe(`${'x'.repeat(3_000_000)}\n`)
  })
})

describe('top', () => {
  test("asks ps for other columns, and shows no process but the container's", async () => {
    await start('busy', 'sleep 100 & exec sleep 200')
    await eventually(async () => (await kago('top', 'busy')).stdout.split('\n').length === 4, 'two processes')
    const { stdout } = await kago('top', 'busy', '-o', 'pid,args')
    expect(stdout).toMatch(/^PID +COMMAND\n(\d+ +sleep [12]00\n){2}$/)
    const aux = await kago('top', 'busy', 'aux')
    expect(aux.stdout).toMatch(/^USER +PID +%CPU/)
    expect(aux.stdout.trimEnd().split('\n')).toHaveLength(3)
  })

  test('says what ps does not take', async () => {
    const noPid = await kago('top', 'busy', '-o', 'comm')
    expect(noPid).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('let PID be one of') as unknown,
    })
    const unknown = await kago('top', 'busy', '--no-such-option')
    expect(unknown).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('ps --no-such-option') as unknown,
    })
  })
})

test('wait --condition removed ends with the removal, and next-exit with the next one', async () => {
  await start('waited', 'exit 3')
  await ended('waited')
  expect((await kago('wait', 'waited')).stdout).toBe('3\n')
  const removed = kago('wait', '--condition', 'removed', 'waited')
  const next = kago('wait', '--condition', 'next-exit', 'waited')
  // Both must wait before anything happens; there is nothing to see of a request that waits.
  await new Promise((resolve) => setTimeout(resolve, 500))
  await kago('start', 'waited')
  expect((await next).stdout).toBe('3\n')
  await kago('rm', 'waited')
  expect((await removed).stdout).toBe('3\n')
})

describe('wait --condition', () => {
  test('running ends when it runs, and fails when it ended instead', async () => {
    await kago('create', '--name', 'ready', '--network', 'none', 'localhost/busybox', 'sleep', '100')
    const waiting = kago('wait', '--condition', 'running', 'ready')
    await kago('start', 'ready')
    expect(await waiting).toMatchObject({ status: 0, stdout: '', stderr: '' })
    await kago('kill', 'ready')
    await kago('wait', 'ready')
    const late = await kago('wait', '--condition', 'running', 'ready')
    expect(late).toMatchObject({ status: 4, stderr: expect.stringContaining('has ended') as unknown })
  })

  test('healthy ends when its check says so', async () => {
    const health = ['--health-cmd', 'test -e /well', '--health-interval', '100ms']
    const words = ['--network', 'none', ...health, 'localhost/busybox', 'sleep', '100']
    await kago('run', '-d', '--name', 'checked', ...words)
    const waiting = kago('wait', '--condition', 'healthy', 'checked')
    await kago('exec', 'checked', 'touch', '/well')
    expect(await waiting).toMatchObject({ status: 0, stdout: '', stderr: '' })
    const unchecked = await kago('wait', '--condition', 'healthy', 'ready')
    expect(unchecked).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no health check') as unknown,
    })
  })
})

describe('ps', () => {
  const listed = async (...filters: string[]) => {
    const words = filters.flatMap((filter) => ['--filter', filter])
    const { stdout, stderr } = await kago('ps', '-a', ...words, '--format', '{{.Names}}')
    return stderr === '' ? stdout.trim().split('\n').filter(Boolean).toSorted() : stderr
  }

  test('has the containers that the filters let through', async () => {
    await kago('network', 'create', 'listed')
    const { id } = await kagod.ok<{ id: string }>('GET', '/v1/networks/listed')
    const mounts = [{ type: 'tmpfs' as const, target: '/scratch' }]
    await start('one', 'true', { network: 'listed', labels: { app: 'x', tier: 'a' } })
    await start('one-more', 'true', { labels: { app: 'x', tier: 'b' }, mounts })
    await Promise.all([ended('one'), ended('one-more')])
    expect(await listed('network=listed')).toEqual(['one'])
    expect(await listed(`network=${id.slice(0, 12)}`)).toEqual(['one'])
    expect(await listed('name=one')).toEqual(['one', 'one-more'])
    expect(await listed('name=^/one$')).toEqual(['one'])
    expect(await listed('name=more$')).toEqual(['one-more'])
    expect(await listed('label=app=x', 'label=tier=b')).toEqual(['one-more'])
    expect(await listed('volume=/scratch')).toEqual(['one-more'])
    expect(await listed('status=dead', 'status=exited', 'name=one')).toEqual(['one', 'one-more'])
    expect(await listed('publish=80')).toEqual([])
  })

  test('says which filters and values there are', async () => {
    expect(await listed('colour=red')).toContain('a filter is KEY=VALUE with one of id, name')
    expect(await listed('status=asleep')).toContain('a status is one of created,')
    expect(await listed('publish=http')).toContain('not a port: "http"')
    expect(await listed('before=nobody')).toContain('nobody')
  })

  test('has a column of networks', async () => {
    const { stdout } = await kago('ps', '-a', '--filter', 'name=one', '--format', '{{.Names}} {{.Networks}}')
    expect(stdout.trim().split('\n').toSorted()).toEqual(['one listed', 'one-more none'])
  })
})
