/** Published ports of containers, by a daemon whose machine is a namespace with a neighbour. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type {
  ContainerDetails,
  CreateBody,
  Port,
  PublishedPort,
} from '../../../shared/protocol/containers.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'
import { type Host, link, makeHost } from '../../harness/namespaces.ts'

const image = 'localhost/busybox'
const tcp = { protocol: 'tcp' } as const

let host: Host
let neighbour: Host
let kagod: Kagod

beforeAll(async () => {
  ;[host, neighbour] = await Promise.all([makeHost('host', [7000]), makeHost('neighbour', [80])])
  link(host, { name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] }, neighbour, {
    name: 'eth0',
    addresses: ['192.0.2.9/24', '2001:db8::9/64'],
  })
  kagod = await startKagod({}, { launcher: ['nsenter', `--net=/proc/${host.pid}/ns/net`, '--'] })
})

afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.request('DELETE', `/v1/containers/${id}?force=true`)
})

afterAll(async () => {
  await kagod?.dispose()
  await Promise.all([host?.end(), neighbour?.end()])
})

/** A container that says `web` to whoever connects to its port 80, and then what it is told. */
async function runWeb(publish: PublishedPort[], more: Partial<CreateBody> = {}): Promise<string> {
  const id = await kagod.runDetached({
    image,
    command: ['nc', '-ll', '-p', '80', '-e', 'sh', '-c', 'echo web; exec cat'],
    publish,
    ...more,
  })
  const { pid } = (await kagod.inspect(id)).task
  await eventually(() => {
    const sockets = host.run('cat', [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`])
    return sockets.includes(':0050')
  }, 'the container listens')
  return id
}

const update = (id: string, body: unknown) => kagod.ok('POST', `/v1/containers/${id}/update`, body)
const portsOf = (id: string) => kagod.ok<Port[]>('GET', `/v1/containers/${id}/ports`)

test('a port is reached by the neighbour, by the host, by IPv6, and no more when the container is gone', async () => {
  const id = await runWeb([{ ...tcp, hostPort: 8080, containerPort: 80 }])
  expect(await neighbour.ask('tcp', '192.0.2.1', 8080)).toBe('web')
  expect(await host.ask('tcp', '127.0.0.1', 8080)).toBe('web')
  // The container has no IPv6: the daemon passes it on.
  expect(await neighbour.ask('tcp', '2001:db8::1', 8080)).toBe('web')
  expect(await host.ask('tcp', '::1', 8080)).toBe('web')
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  await eventually(
    async () => (await neighbour.ask('tcp', '192.0.2.1', 8080)) === 'ECONNREFUSED',
    'nobody answers any more',
  )
})

test('what is published at 127.0.0.1 is not for the neighbour', async () => {
  await runWeb([{ ...tcp, hostAddress: '127.0.0.1', hostPort: 8081, containerPort: 80 }])
  expect(await host.ask('tcp', '127.0.0.1', 8081)).toBe('web')
  expect(await neighbour.ask('tcp', '192.0.2.1', 8081)).toBe('ECONNREFUSED')
})

test('a port without a number gets a free one, the same for IPv4 and IPv6', async () => {
  const id = await runWeb([{ ...tcp, containerPort: 80 }])
  const ports = await portsOf(id)
  expect(ports.map(({ hostAddress }) => hostAddress)).toEqual(['0.0.0.0', '::'])
  expect(new Set(ports.map(({ hostPort }) => hostPort)).size).toBe(1)
  expect(await neighbour.ask('tcp', '192.0.2.1', ports[0]?.hostPort ?? 0)).toBe('web')
})

test('of a range, the first free port is taken', async () => {
  await runWeb([{ ...tcp, hostPort: 8090, containerPort: 80 }])
  const id = await runWeb([{ ...tcp, hostPort: 8090, hostPortEnd: 8092, containerPort: 80 }])
  expect((await portsOf(id)).map(({ hostPort }) => hostPort)).toEqual([8091, 8091])
})

test('a port that is used is an error that names the container, or the process', async () => {
  await runWeb([{ ...tcp, hostPort: 8080, containerPort: 80 }], { name: 'first' })
  const second = { image, command: ['true'], publish: [{ ...tcp, hostPort: 8080, containerPort: 80 }] }
  expect((await kagod.run(second)).error).toMatchObject({
    code: 'in_use',
    message: 'port 8080/tcp is used by container first',
  })
  const third = { image, command: ['true'], publish: [{ ...tcp, hostPort: 7000, containerPort: 80 }] }
  expect((await kagod.run(third)).error).toMatchObject({
    code: 'in_use',
    message: expect.stringMatching(/^port 7000\/tcp is used by node \(pid \d+\)$/),
  })
  expect((await kagod.list()).map(({ ports }) => ports.length)).toContain(2)
})

test('a process of the host that comes later does not get a published port', async () => {
  await runWeb([{ ...tcp, hostPort: 8080, containerPort: 80 }])
  const script =
    "require('net').createServer().listen(8080, '0.0.0.0').on('error', (e) => console.log(e.code))"
  expect(host.run(process.execPath, ['-e', script])).toBe('EADDRINUSE\n')
})

test('ports change while it runs; connections by other ports do not notice, those by a removed one end', async () => {
  const id = await runWeb([
    { ...tcp, hostPort: 8080, containerPort: 80 },
    { ...tcp, hostPort: 8082, containerPort: 80 },
  ])
  expect(await neighbour.ask('again', '192.0.2.1', 8080)).toBe('web')
  expect(await neighbour.ask('again', '192.0.2.1', 8082)).toBe('web')
  await update(id, {
    publishAdd: [{ ...tcp, hostPort: 8083, containerPort: 80 }],
    publishRemove: [{ ...tcp, hostPort: 8082, containerPort: 0 }],
  })
  expect(await neighbour.ask('tcp', '192.0.2.1', 8083)).toBe('web')
  expect(await neighbour.ask('tcp', '192.0.2.1', 8082)).toBe('ECONNREFUSED')
  expect(await neighbour.ask('again', '192.0.2.1', 8080)).toBe('again')
  expect(await neighbour.ask('again', '192.0.2.1', 8082)).not.toBe('again')
  expect((await kagod.inspect(id)).options.publish.map(({ hostPort }) => hostPort)).toEqual([8080, 8083])
})

test('after a flush of the ruleset the ports and the way out are back by themselves', async () => {
  const id = await runWeb([{ ...tcp, hostPort: 8080, containerPort: 80 }])
  host.run('nft', ['flush', 'ruleset'])
  await eventually(() => host.run('nft', ['list', 'ruleset']).includes('tcp . 8080'), 'the firewall is back')
  expect(await neighbour.ask('tcp', '192.0.2.1', 8080)).toBe('web')
  expect((await kagod.inspect(id)).task.state).toBe('running')
})

test('without the firewall the daemon passes connections on by itself', async () => {
  await runWeb([{ ...tcp, hostPort: 8080, containerPort: 80 }])
  host.run('nft', ['flush', 'ruleset'])
  expect(await neighbour.ask('tcp', '192.0.2.1', 8080)).toBe('web')
})

test('a daemon that was killed finds its ports again, and they lead on meanwhile', async () => {
  const id = await runWeb([{ ...tcp, hostPort: 8085, containerPort: 80 }])
  expect(await neighbour.ask('again', '192.0.2.1', 8085)).toBe('web')
  await kagod.crash()
  expect(await neighbour.ask('tcp', '192.0.2.1', 8085)).toBe('web')
  await kagod.start()
  expect(await neighbour.ask('again', '192.0.2.1', 8085)).toBe('again')
  expect(await host.ask('tcp', '::1', 8085)).toBe('web')
  expect((await portsOf(id)).map(({ hostPort }) => hostPort)).toEqual([8085, 8085])
})

test('who reaches a port is told by address', async () => {
  const id = await runWeb([
    { ...tcp, hostPort: 8080, containerPort: 80 },
    { ...tcp, hostAddress: '127.0.0.1', hostPort: 8081, containerPort: 80 },
  ])
  const ports = await kagod.ok<Port[]>('GET', `/v1/containers/${id}/ports?who=true`)
  const reach = (address: string, port: number) =>
    ports
      .find(({ hostAddress, hostPort }) => hostAddress === address && hostPort === port)
      ?.reachable?.map((one) => [one.address, one.by])
  expect(reach('0.0.0.0', 8080)).toContainEqual(['192.0.2.1', 'network'])
  expect(reach('::', 8080)).toContainEqual(['2001:db8::1', 'network'])
  expect(reach('127.0.0.1', 8081)).toEqual([['127.0.0.1', 'machine']])
})

test('all exposed ports are published at free ones', async () => {
  const id = await runWeb([], { expose: ['80', '53/udp'], publishAll: true })
  const ports = await portsOf(id)
  expect(ports.filter(({ hostPort }) => hostPort !== undefined)).toHaveLength(4)
  const details: ContainerDetails = await kagod.inspect(id)
  expect(details.options.expose).toEqual(['80/tcp', '53/udp'])
})

test('forty lives with a port leave no element, no socket and no record of it behind', async () => {
  const sockets = () =>
    readdirSync(`/proc/${kagod.pid}/fd`).filter((fd) => {
      try {
        return readlinkSync(`/proc/${kagod.pid}/fd/${fd}`).startsWith('socket:')
      } catch {
        return false
      }
    }).length
  const life = async (number: number) => {
    const publish = [{ ...tcp, hostPort: 9000 + (number % 4), containerPort: 80 }]
    const { exit, error } = await kagod.run({ image, command: ['true'], publish, autoRemove: true })
    expect(error).toBeUndefined()
    expect(exit).toBe(0)
  }
  await life(0)
  await eventually(async () => (await kagod.list()).length === 0, 'the first is gone')
  const before = sockets()
  for (let number = 0; number < 40; number += 4) {
    await Promise.all([0, 1, 2, 3].map((more) => life(number + more)))
    await eventually(() => !host.run('nft', ['list', 'ruleset']).includes('tcp . 900'), 'elements are gone')
    await eventually(() => !/:23(28|29|2A|2B) /.test(host.run('cat', ['/proc/net/tcp'])), 'ports are free')
  }
  await eventually(() => sockets() <= before + 1, 'sockets are closed')
})

test('whoever publishes a port that another firewall cuts off is told so, and how to let it through', async () => {
  const other = await startKagod({}, { launcher: ['nsenter', `--net=/proc/${host.pid}/ns/net`, '--'] })
  const nft = (...words: string[]) =>
    execFileSync('nsenter', [`--net=/proc/${host.pid}/ns/net`, 'nft', ...words])
  nft(
    'add table ip strict; add chain ip strict forward { type filter hook forward priority 0; policy drop; }',
  )
  try {
    const words = ['run', '--rm', '-p', '8099:80', 'localhost/busybox', 'true']
    const { status, stderr } = await runCli(words, { host: other.socket })
    expect(status).toBe(0)
    expect(stderr).toMatch(/chain forward of table ip strict drops what is forwarded/)
    expect(stderr).toMatch(/let them through with/)
    const quiet = ['run', '--rm', 'localhost/busybox', 'true']
    expect((await runCli(quiet, { host: other.socket })).stderr).toBe('')
  } finally {
    nft('delete table ip strict')
    await other.dispose()
  }
})
