/** Names on networks, as containers see them by their own nslookup and getent, and as dig sees them. */
import { execFile } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decode, encode } from 'dns-packet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CreateBody } from '../../../shared/protocol/containers.ts'
import { runCli } from '../../harness/cli.ts'
import { type Kagod, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
const directory = mkdtempSync(join(tmpdir(), 'kago-dns-'))
const resolvConf = join(directory, 'resolv.conf')
const upstreams: Socket[] = []

/** A name server of the host, on loopback as systemd-resolved's, that knows one name. */
async function startUpstream(host: string, address: string): Promise<void> {
  const socket = createSocket('udp4')
  upstreams.push(socket)
  socket.bind(53, host)
  await once(socket, 'listening')
  socket.on('message', (bytes, from) => {
    const { id, questions = [] } = decode(bytes)
    const [question] = questions
    const isKnown = question?.name.toLowerCase() === 'world.example'
    const answers =
      isKnown && question.type === 'A' ? [{ type: 'A' as const, name: question.name, data: address }] : []
    const reply = { id: id ?? 0, type: 'response' as const, flags: isKnown ? 0 : 3, questions, answers }
    socket.send(encode(reply), from.port, from.address)
  })
}

beforeAll(async () => {
  await startUpstream('127.0.53.1', '203.0.113.1')
  await startUpstream('127.0.53.2', '203.0.113.2')
  writeFileSync(resolvConf, 'nameserver 127.0.53.1\nsearch corp.example\n')
  kagod = await startKagod({ resolvConf })
  await ok('network', 'create', 'shop')
  await ok('network', 'create', '--ipv6', 'six')
  await ok('network', 'create', '--internal', 'vault')
  await start('web', 'shop', { networkAliases: ['www', 'front'] })
  await start('db', 'shop', { networkAliases: ['front'], hostname: 'data-1' })
  await start('asker', 'shop')
})
afterAll(async () => {
  await kagod.dispose()
  for (const socket of upstreams) socket.close()
  rmSync(directory, { recursive: true })
})

const kago = (...args: string[]) => runCli(args, { host: `unix://${kagod.socket}` })

async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await kago(...args)
  if (status !== 0) throw new Error(`kago ${args.join(' ')}: ${stderr}`)
  return stdout
}

const start = (name: string, network: string, more: Partial<CreateBody> = {}) =>
  kagod.runDetached({
    image: 'localhost/busybox',
    name,
    network,
    command: ['sleep', '1000'],
    ...more,
  })

const addressOf = (container: string, link = 'eth0') =>
  ok('exec', container, 'ip', '-4', '-o', 'address', 'show', 'dev', link).then(
    (text) => /inet ([\d.]+)/.exec(text)?.[1] ?? '',
  )

/** What a program of the host says in the container's network, where the name server is at `@SERVER`. */
async function dig(container: string, ...words: string[]): Promise<string> {
  const { task } = await kagod.inspect(container)
  const conf = await ok('exec', container, 'cat', '/etc/resolv.conf')
  const server = /nameserver (\S+)/.exec(conf)?.[1] ?? ''
  const at = words.some((word) => word.startsWith('@')) ? [] : [`@${server}`]
  const inside = [`--net=/proc/${task.pid}/ns/net`, '--', 'dig', ...at, '+tries=1', '+time=3']
  // Not while this process waits: the host's name server is in it.
  return (await promisify(execFile)('nsenter', [...inside, ...words])).stdout
}

const short = async (container: string, ...words: string[]) =>
  (await dig(container, '+short', ...words)).trim().split('\n').filter(Boolean)

describe('a container finds another', () => {
  test('by its own nslookup and ping', async () => {
    const web = await addressOf('web')
    // Without the dot busybox's nslookup asks with the search domain alone, whatever ndots is.
    expect(await ok('exec', 'asker', 'nslookup', '-type=a', 'web.')).toContain(`Address: ${web}`)
    expect(await ok('exec', 'asker', 'ping', '-c', '1', '-W', '2', 'web')).toContain(`(${web})`)
  })

  test('by the resolver of glibc', async () => {
    const folders = { '/usr/lib': '/lib', '/usr/lib64': '/lib64', '/usr': '/usr' }
    const mounts = Object.entries(folders)
      .filter(([source]) => existsSync(source))
      .flatMap(([source, target]) => ['-v', `${source}:${target}:ro`])
    const getent = (...words: string[]) =>
      ok('run', '--rm', '--network', 'shop', ...mounts, 'localhost/busybox', '/usr/bin/getent', ...words)
    const web = await addressOf('web')
    expect(await getent('ahostsv4', 'web')).toMatch(new RegExp(`^${web} +STREAM web\\n`))
    expect(await getent('hosts', web)).toMatch(new RegExp(`^${web} +web\\.shop\\n$`))
    const lines = (await getent('ahostsv4', 'front')).split('\n')
    expect(lines.filter((line) => line.includes('STREAM'))).toHaveLength(2)
  })

  test("by its name, an alias, its id, its host name, and each with the network's name", async () => {
    const [web, db] = [await addressOf('web'), await addressOf('db')]
    const { id } = await kagod.inspect('web')
    for (const name of ['web', 'WEB', 'www', id.slice(0, 12), 'web.shop', 'www.shop'])
      expect(await short('asker', name)).toEqual([web])
    expect(await short('asker', 'data-1')).toEqual([db])
  })

  test('backwards', async () => {
    expect(await short('asker', '-x', await addressOf('web'))).toEqual(['web.shop.'])
  })

  test('by TCP, and with the options of EDNS', async () => {
    const web = await addressOf('web')
    expect(await short('asker', '+tcp', 'web')).toEqual([web])
    const answer = await dig('asker', '+bufsize=4096', 'web')
    expect(answer).toMatch(/flags: qr aa rd ra; .*ANSWER: 1/)
    expect(answer).toMatch(/EDNS: version: 0, flags:; udp: 1232/)
    expect(answer).not.toMatch(/warning|malformed|WARNING/i)
  })

  test('with those that share an alias first in turn', async () => {
    const both = [await addressOf('web'), await addressOf('db')].sort()
    const seen = new Set<string>()
    for (let count = 0; count < 4; count++) {
      const answer = await short('asker', 'front')
      expect(answer.toSorted()).toEqual(both)
      seen.add(answer[0] ?? '')
    }
    expect([...seen].sort()).toEqual(both)
  })

  test('and is told when there is nothing of a kind, and when there is no such name', async () => {
    expect(await dig('asker', 'web', 'AAAA')).toMatch(/status: NOERROR.*\n.*ANSWER: 0/)
    expect(await dig('asker', 'web', 'MX')).toMatch(/status: NOERROR.*\n.*ANSWER: 0/)
    expect(await dig('asker', 'web', 'TYPE65')).toMatch(/status: NOERROR.*\n.*ANSWER: 0/)
    expect(await dig('asker', 'nobody.example')).toMatch(/status: NXDOMAIN/)
  })

  test('over IPv6', async () => {
    await start('six-web', 'six')
    await start('six-asker', 'six')
    const text = await ok(
      'exec',
      'six-web',
      'ip',
      '-6',
      '-o',
      'address',
      'show',
      'dev',
      'eth0',
      'scope',
      'global',
    )
    const address = /inet6 ([\da-f:]+)/.exec(text)?.[1] ?? ''
    expect(await short('six-asker', 'six-web', 'AAAA')).toEqual([address])
    expect(await short('six-asker', '-x', address)).toEqual(['six-web.six.'])
    const [gateway] = (await kagod.ok<{ subnets: { gateway: string }[] }>('GET', '/v1/networks/six')).subnets
      .map((subnet) => subnet.gateway)
      .filter((text) => text.includes(':'))
    expect(await short('six-asker', `@${gateway}`, 'six-web', 'AAAA')).toEqual([address])
  })
})

describe('what has changed is answered at once', () => {
  test('after a container was renamed', async () => {
    await start('before', 'shop')
    const address = await addressOf('before')
    await ok('rename', 'before', 'after')
    expect(await short('asker', 'after')).toEqual([address])
    expect(await dig('asker', 'before')).toMatch(/NXDOMAIN/)
  })

  test('after it was connected and disconnected, in its files too', async () => {
    await ok('network', 'create', 'late')
    await start('late-asker', 'late')
    expect(await dig('late-asker', 'web')).toMatch(/NXDOMAIN/)
    await ok('network', 'connect', '--alias', 'joined', 'late', 'web')
    const second = await addressOf('web', 'eth1')
    expect(await short('late-asker', 'web')).toEqual([second])
    expect(await short('late-asker', 'joined')).toEqual([second])
    expect(await ok('exec', 'web', 'cat', '/etc/hosts')).toContain(second)
    // Who is on both networks sees the names of both.
    expect(await short('web', 'late-asker')).toEqual([await addressOf('late-asker')])
    expect(await short('web', 'db')).toEqual([await addressOf('db')])
    await ok('network', 'disconnect', 'late', 'web')
    expect(await dig('late-asker', 'web')).toMatch(/NXDOMAIN/)
    expect(await ok('exec', 'web', 'cat', '/etc/hosts')).not.toContain(second)
  })

  test('after it ended, and when it has another address', async () => {
    await start('mortal', 'shop')
    await ok('kill', 'mortal')
    await ok('wait', 'mortal')
    await expect.poll(() => dig('asker', 'mortal')).toMatch(/NXDOMAIN/)
    await ok('start', 'mortal')
    expect(await short('asker', 'mortal')).toEqual([await addressOf('mortal')])
  })

  test('after the daemon was killed and started again', async () => {
    await kagod.crash()
    await kagod.start()
    expect(await short('asker', 'web')).toEqual([await addressOf('web')])
    expect(await short('asker', 'www')).toEqual([await addressOf('web')])
  })
})

describe('what is no name of the network', () => {
  test("is asked of the host's name server on loopback, and of the new one when it has changed", async () => {
    expect(await short('asker', 'world.example')).toEqual(['203.0.113.1'])
    expect(await ok('exec', 'asker', 'nslookup', '-type=a', 'world.example')).toContain('203.0.113.1')
    writeFileSync(resolvConf, 'nameserver 127.0.53.2\n')
    expect(await short('asker', 'world.example')).toEqual(['203.0.113.2'])
    writeFileSync(resolvConf, 'nameserver 127.0.53.9\nnameserver 127.0.53.1\nsearch corp.example\n')
    expect(await short('asker', 'world.example')).toEqual(['203.0.113.1'])
  })

  test('does not exist on an internal network', async () => {
    await start('inside', 'vault')
    expect(await dig('inside', 'world.example')).toMatch(/NXDOMAIN/)
    expect(await dig('inside', '-x', '203.0.113.1')).toMatch(/NXDOMAIN/)
    expect(await short('inside', 'inside')).toEqual([await addressOf('inside')])
  })

  test('can be asked on the default network too, whose containers have no names', async () => {
    await start('plain', 'bridge')
    await start('plain-2', 'bridge')
    expect(await short('plain', 'world.example')).toEqual(['203.0.113.1'])
    expect(await dig('plain', 'plain-2')).toMatch(/NXDOMAIN/)
    expect(await ok('exec', 'plain', 'cat', '/etc/resolv.conf')).toMatch(
      /^nameserver 10\..*\nsearch corp\.example\n$/,
    )
  })

  test('is asked of the servers that the container was given', async () => {
    const { gateway } =
      (await kagod.ok<{ subnets: { gateway: string }[] }>('GET', '/v1/networks/late')).subnets[0] ?? {}
    await start('other', 'shop', { dns: [gateway ?? ''] })
    // The name server of another network does not answer the host about it, so that this must fail.
    expect(await dig('other', 'world.example')).toMatch(/SERVFAIL/)
    expect(await short('other', 'web')).toEqual([await addressOf('web')])
  })
})

describe('the files of names', () => {
  test('have the options that were given', async () => {
    const options = [
      '--dns-search',
      'a.example',
      '--dns-option',
      'timeout:1',
      '--add-host',
      'up:host-gateway',
    ]
    const words = ['run', '--rm', '--network', 'shop', ...options, 'localhost/busybox']
    const text = await ok(...words, 'cat', '/etc/resolv.conf', '/etc/hosts')
    expect(text).toMatch(/^nameserver (\S+)\nsearch a\.example\noptions timeout:1 ndots:0\n/)
    const gateway = /nameserver (\S+)/.exec(text)?.[1] ?? ''
    expect(text).toContain(`${gateway}\tup\n`)
  })
})

describe('who may not ask', () => {
  test('is a container of another network', async () => {
    await ok('network', 'create', 'strangers')
    await start('stranger', 'strangers')
    const conf = await ok('exec', 'asker', 'cat', '/etc/resolv.conf')
    const server = /nameserver (\S+)/.exec(conf)?.[1] ?? ''
    await expect(dig('stranger', `@${server}`, '+time=1', 'web')).rejects.toMatchObject({
      stdout: expect.stringContaining('no servers could be reached') as unknown,
    })
  })
})

test('a network that is removed takes its name server along', async () => {
  const sockets = async () => (await promisify(execFile)('ss', ['-Hlntu'])).stdout
  await ok('network', 'create', 'brief')
  const { gateway = '' } =
    (await kagod.ok<{ subnets: { gateway: string }[] }>('GET', '/v1/networks/brief')).subnets[0] ?? {}
  expect((await sockets()).split(`${gateway}:`)).toHaveLength(3)
  await ok('network', 'rm', 'brief')
  expect(await sockets()).not.toContain(`${gateway}:`)
})
