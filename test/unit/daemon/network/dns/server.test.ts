import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { decode, type DecodedPacket, encode, type Packet, RECURSION_DESIRED } from 'dns-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createNames } from '../../../../../daemon/network/dns/names.ts'
import { createNameServer, type NameServerOptions } from '../../../../../daemon/network/dns/server.ts'
import { frameMessage, MessageReader } from '../../../../../daemon/network/dns/stream.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** A name server for one network on loopback, with `web` on it. */
async function startServer(options: Partial<NameServerOptions> = {}, isInternal = false) {
  const names = createNames()
  names.putNetwork({ id: 'n', name: 'net', subnets: ['127.0.0.0/8', '::1/128'], isInternal, hasNames: true })
  names.putEndpoint('n', {
    containerId: 'a'.repeat(64),
    containerName: 'web',
    aliases: Array.from({ length: 100 }, (_, index) => `alias${index}`),
    addresses: ['127.9.0.2'],
  })
  const resolvers = { read: () => ({ nameServers: ['127.0.0.1'], search: [], options: [] }) }
  const server = createNameServer({ names, resolvers, log, upstreamPort: 1, ...options })
  onTestFinished(() => server.close())
  const port = await server.listen('n', ['127.0.0.1', '::1'])
  return { names, server, port }
}

/** What the host's name server does with each question; undefined is silence. */
type Upstream = (query: DecodedPacket, count: number) => Partial<Packet> | undefined

async function startUpstream(answer: Upstream): Promise<{ port: number; ports: number[]; ids: number[] }> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  const seen = { port, ports: [] as number[], ids: [] as number[] }
  const reply = (bytes: Buffer): Buffer | undefined => {
    const query = decode(bytes)
    seen.ids.push(query.id ?? 0)
    const packet = answer(query, seen.ids.length)
    const { id, questions } = query
    return packet && encode({ id: id ?? 0, type: 'response', questions: questions ?? [], ...packet })
  }
  socket.on('message', (bytes, from) => {
    seen.ports.push(from.port)
    const message = reply(bytes)
    if (message !== undefined) socket.send(message, from.port, from.address)
  })
  const sockets = new Set<Socket>()
  const server = createServer((connection) => {
    sockets.add(connection)
    const reader = new MessageReader(65535)
    connection.on('data', (chunk) => {
      for (const bytes of reader.push(chunk)) {
        const message = reply(bytes)
        if (message !== undefined) connection.write(frameMessage(message))
      }
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    socket.close()
    server.close()
    for (const connection of sockets) connection.destroy()
  })
  return seen
}

function question(name: string, extra: Partial<Packet> = {}): Buffer {
  return encode({
    type: 'query',
    id: 77,
    flags: RECURSION_DESIRED,
    questions: [{ name, type: 'A' }],
    ...extra,
  })
}

async function askUdp(port: number, bytes: Buffer, address = '127.0.0.1'): Promise<DecodedPacket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  try {
    socket.send(bytes, port, address)
    const [reply] = (await once(socket, 'message')) as [Buffer]
    return decode(reply)
  } finally {
    socket.close()
  }
}

async function askTcp(port: number, ...queries: Buffer[]): Promise<DecodedPacket[]> {
  const socket = connect(port, '127.0.0.1')
  socket.end(Buffer.concat(queries.map(frameMessage)))
  const reader = new MessageReader(65535)
  const replies: DecodedPacket[] = []
  for await (const chunk of socket)
    for (const bytes of reader.push(chunk as Buffer)) replies.push(decode(bytes))
  return replies
}

const rcodeOf = (packet: DecodedPacket) => (packet.flags ?? 0) & 0xf
const dataOf = ({ answers = [] }: DecodedPacket) =>
  answers.map((answer) => ('data' in answer ? answer.data : undefined))
const answerOf = (name: string, data: string) => ({ answers: [{ type: 'A' as const, name, data, ttl: 60 }] })

describe('the name server', () => {
  it('answers from its names by UDP and TCP, over IPv4 and IPv6, on one port', async () => {
    const { port, server } = await startServer()
    expect(server.portOf('n')).toBe(port)
    for (const reply of [
      await askUdp(port, question('web')),
      await askUdp(port, question('web'), '::1'),
      ...(await askTcp(port, question('web'))),
    ]) {
      expect(reply).toMatchObject({ id: 77, flag_qr: true, flag_aa: true, flag_ra: true })
      expect(dataOf(reply)).toEqual(['127.9.0.2'])
    }
  })

  it('answers one TCP client question after question', async () => {
    const { port } = await startServer()
    const queries = Array.from({ length: 50 }, (_, index) => question(`alias${index}`))
    const replies = await askTcp(port, ...queries)
    expect(replies.map((reply) => reply.questions?.[0]?.name)).toEqual(
      queries.map((_, index) => `alias${index}`),
    )
  })

  it('says by UDP that there is more, and gives all by TCP', async () => {
    const { port, names } = await startServer()
    for (let index = 0; index < 100; index++) {
      names.putEndpoint('n', {
        containerId: `${index}`.padStart(64, 'b'),
        containerName: `one${index}`,
        aliases: ['all'],
        addresses: [`127.10.0.${index}`],
      })
    }
    const short = await askUdp(port, question('all'))
    const [full] = await askTcp(port, question('all'))
    expect(short.flag_tc).toBe(true)
    expect(dataOf(short).length).toBeGreaterThan(20)
    expect(full?.flag_tc).toBe(false)
    expect(new Set(full && dataOf(full)).size).toBe(100)
  })

  it('answers with what is true in the moment of the question', async () => {
    const { port, names } = await startServer({}, true)
    names.dropEndpoint('n', 'a'.repeat(64))
    expect(rcodeOf(await askUdp(port, question('web')))).toBe(3)
    names.putEndpoint('n', {
      containerId: 'c'.repeat(64),
      containerName: 'web',
      aliases: [],
      addresses: ['127.9.0.7'],
    })
    expect(dataOf(await askUdp(port, question('web')))).toEqual(['127.9.0.7'])
  })

  it('goes on answering after garbage by UDP and TCP', async () => {
    const { port } = await startServer()
    const socket = createSocket('udp4')
    for (let size = 0; size < 60; size++) socket.send(Buffer.alloc(size, size * 7), port, '127.0.0.1')
    const garbage = connect(port, '127.0.0.1')
    garbage.write(Buffer.alloc(5000, 0xff))
    await once(garbage, 'close')
    expect(dataOf(await askUdp(port, question('web')))).toEqual(['127.9.0.2'])
    socket.close()
  })

  it('lets one client hold only so many connections', async () => {
    const { port } = await startServer()
    const sockets = Array.from({ length: 17 }, () => connect(port, '127.0.0.1'))
    const refused = await Promise.race(sockets.map(async (socket) => (await once(socket, 'close'), socket)))
    expect(sockets).toContain(refused)
    for (const socket of sockets) socket.destroy()
  })

  it('answers nothing beyond the share of one client, and others all the same', async () => {
    const { port, names } = await startServer({ queriesPerSecond: 0 })
    const socket = createSocket('udp4')
    onTestFinished(() => {
      socket.close()
    })
    let count = 0
    socket.on('message', () => count++)
    socket.send(question('web'), port, '127.0.0.1')
    // By TCP the connection is closed instead.
    expect(await askTcp(port, question('web'))).toEqual([])
    expect(count).toBe(0)
    expect(names).toBeDefined()
  })

  it('gives its port back', async () => {
    const { server, port } = await startServer()
    await server.unlisten('n')
    expect(server.portOf('n')).toBeUndefined()
    expect(await server.listen('n', ['127.0.0.1'], port)).toBe(port)
  })

  it('names the place that is taken', async () => {
    const { server, port } = await startServer()
    await expect(server.listen('other', ['127.0.0.1'], port)).rejects.toMatchObject({ code: 'in_use' })
    await expect(server.listen('other', ['127.0.0.1'])).resolves.toBeGreaterThan(0)
  })
})

describe('other names', () => {
  it("are asked of the host's server, each time with another id from another port", async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '93.184.216.34'))
    const { port } = await startServer({ upstreamPort: upstream.port })
    for (let count = 0; count < 8; count++) {
      const reply = await askUdp(port, question('example.com'))
      expect(reply).toMatchObject({ id: 77, answers: [{ data: '93.184.216.34', ttl: 60 }] })
    }
    expect(new Set(upstream.ports).size).toBe(8)
    expect(new Set(upstream.ids).size).toBeGreaterThan(6)
  })

  it('are asked by TCP for who asks by TCP', async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '93.184.216.34'))
    const { port } = await startServer({ upstreamPort: upstream.port })
    const [reply] = await askTcp(port, question('example.com'))
    expect(reply && dataOf(reply)).toEqual(['93.184.216.34'])
    expect(upstream.ports).toEqual([])
  })

  it('are asked again when the server keeps silent', async () => {
    const upstream = await startUpstream((_query, count) =>
      count === 1 ? undefined : answerOf('example.com', '1.1.1.1'),
    )
    const forwarding = { patienceMilliseconds: 20 }
    const { port } = await startServer({ upstreamPort: upstream.port, forwarding })
    expect(dataOf(await askUdp(port, question('example.com')))).toEqual(['1.1.1.1'])
  })

  it('are asked of the next server when one is not there, fails or is silent', async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '1.1.1.1'))
    const failing = createSocket('udp4')
    failing.bind(upstream.port, '127.0.0.3')
    const silent = createSocket('udp4')
    silent.bind(upstream.port, '127.0.0.4')
    await Promise.all([once(failing, 'listening'), once(silent, 'listening')])
    failing.on('message', (bytes, from) => {
      const { id, questions } = decode(bytes)
      failing.send(
        encode({ id: id ?? 0, type: 'response', flags: 2, questions: questions ?? [] }),
        from.port,
        from.address,
      )
    })
    onTestFinished(() => {
      failing.close()
      silent.close()
    })
    const nameServers = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.1']
    const { port } = await startServer({
      upstreamPort: upstream.port,
      forwarding: { patienceMilliseconds: 50 },
      resolvers: { read: () => ({ nameServers, search: [], options: [] }) },
    })
    expect(dataOf(await askUdp(port, question('example.com')))).toEqual(['1.1.1.1'])
  })

  it('are asked of the next server when there is no way to one', async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '1.1.1.1'))
    const nameServers = [
      '2001:db8::1',
      '255.255.255.255',
      '0.0.0.0',
      'fe80::1%nolink',
      'nonsense',
      '127.0.0.1',
    ]
    const { port } = await startServer({
      upstreamPort: upstream.port,
      resolvers: { read: () => ({ nameServers, search: [], options: [] }) },
    })
    expect(dataOf(await askUdp(port, question('example.com')))).toEqual(['1.1.1.1'])
    const [reply] = await askTcp(port, question('example.com'))
    expect(reply && dataOf(reply)).toEqual(['1.1.1.1'])
  })

  it('are said to have failed when nobody answers', async () => {
    const upstream = await startUpstream(() => undefined)
    const forwarding = { patienceMilliseconds: 10, totalMilliseconds: 100 }
    const { port } = await startServer({ upstreamPort: upstream.port, forwarding })
    expect(rcodeOf(await askUdp(port, question('example.com')))).toBe(2)
  })

  it('have their failure passed on when every server tells one', async () => {
    const upstream = await startUpstream(() => ({ flags: 5 }))
    const { port } = await startServer({ upstreamPort: upstream.port })
    expect(rcodeOf(await askUdp(port, question('example.com')))).toBe(5)
    expect(upstream.ids).toHaveLength(2)
  })

  it('are believed only from a reply to this very question', async () => {
    const upstream = await startUpstream((query, count) =>
      count === 1
        ? { ...answerOf('evil.com', '6.6.6.6'), questions: [{ name: 'evil.com', type: 'A' }] }
        : count === 2
          ? { ...answerOf('example.com', '6.6.6.6'), id: ((query.id ?? 0) + 1) & 0xffff }
          : answerOf('example.com', '1.1.1.1'),
    )
    const forwarding = { patienceMilliseconds: 20 }
    const { port } = await startServer({
      upstreamPort: upstream.port,
      forwarding,
      resolvers: { read: () => ({ nameServers: ['127.0.0.1', '127.0.0.1'], search: [], options: [] }) },
    })
    expect(dataOf(await askUdp(port, question('example.com')))).toEqual(['1.1.1.1'])
  })

  it('of one client have so much room, and the rest of the clients theirs', async () => {
    const upstream = await startUpstream(() => undefined)
    const forwarding = { patienceMilliseconds: 5000, totalMilliseconds: 5000, maxPendingPerAsker: 2 }
    const { port } = await startServer({ upstreamPort: upstream.port, forwarding })
    const socket = createSocket('udp4')
    onTestFinished(() => {
      socket.close()
    })
    for (const name of ['a.example', 'b.example']) socket.send(question(name), port, '127.0.0.1')
    await expect.poll(() => upstream.ids.length).toBe(2)
    expect(rcodeOf(await askUdp(port, question('c.example')))).toBe(2)
    expect(dataOf(await askUdp(port, question('web')))).toEqual(['127.9.0.2'])
    expect(upstream.ids).toHaveLength(2)
  })

  it('that are answered at too great a length are cut for UDP', async () => {
    const answers = Array.from({ length: 60 }, (_, index) => ({
      type: 'A' as const,
      name: 'example.com',
      data: `10.0.0.${index}`,
    }))
    const upstream = await startUpstream(() => ({ answers }))
    const { port } = await startServer({ upstreamPort: upstream.port })
    expect(await askUdp(port, question('example.com'))).toMatchObject({ flag_tc: true, answers: [] })
    const [full] = await askTcp(port, question('example.com'))
    expect(full?.answers).toHaveLength(60)
  })

  it('do not exist on an internal network, and nobody is asked', async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '1.1.1.1'))
    const { port } = await startServer({ upstreamPort: upstream.port }, true)
    expect(rcodeOf(await askUdp(port, question('example.com')))).toBe(3)
    expect(upstream.ids).toEqual([])
  })

  it('are never asked of the name server itself', async () => {
    const { names, port, server } = await startServer()
    await server.close()
    const same = createNameServer({
      names,
      resolvers: { read: () => ({ nameServers: ['127.0.0.1'], search: [], options: [] }) },
      log,
      upstreamPort: port,
    })
    onTestFinished(() => same.close())
    await same.listen('n', ['127.0.0.1'], port)
    expect(rcodeOf(await askUdp(port, question('example.com')))).toBe(2)
  })

  it('are not asked of a server that nobody but the container reaches', async () => {
    const upstream = await startUpstream(() => answerOf('example.com', '1.1.1.1'))
    const { port, names } = await startServer({ upstreamPort: upstream.port })
    names.putEndpoint('n', {
      containerId: 'd'.repeat(64),
      containerName: 'asker',
      aliases: [],
      addresses: ['127.0.0.1'],
      nameServers: ['127.0.0.1'],
    })
    expect(rcodeOf(await askUdp(port, question('example.com')))).toBe(2)
    expect(upstream.ids).toEqual([])
  })
})
