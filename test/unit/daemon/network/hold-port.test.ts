import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { holdPort } from '../../../../daemon/network/hold-port.ts'
import type { HeldPort } from '../../../../daemon/network/live-port.ts'
import type { Target } from '../../../../daemon/network/ports.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** Stands for the container: answers when it has heard everything. */
async function listen(answer: (client: Socket) => void): Promise<Target> {
  const server: Server = createServer({ allowHalfOpen: true }, answer).listen(0, '127.0.0.1')
  open.push(server)
  await once(server, 'listening')
  const address = server.address()
  return { address: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 }
}

async function hold(protocol: 'tcp' | 'udp', target: Target | undefined, hostPort = 0): Promise<HeldPort> {
  const held = await holdPort({ hostAddress: '127.0.0.1', hostPort, protocol, target: () => target })
  open.push(held)
  return held
}

test('a connection is passed on, each half to its own end', async () => {
  const target = await listen((client) => {
    void text(client).then((heard) => client.end(`heard ${heard.length}`))
  })
  const { hostPort } = await hold('tcp', target)
  const client = connect({ port: hostPort, host: '127.0.0.1', allowHalfOpen: true })
  client.end('x'.repeat(1_000_000))
  expect(await text(client)).toBe('heard 1000000')
})

test('where nobody listens in the container, the client is refused', async () => {
  const { hostPort } = await hold('tcp', { address: '127.0.0.1', port: 1 })
  const client = connect(hostPort, '127.0.0.1')
  const [error] = await once(client, 'error')
  expect(error).toMatchObject({ code: 'ECONNRESET' })
})

test('a port that is given back ends what was passed on by it, and is free', async () => {
  const target = await listen((client) => client.write('hello'))
  const held = await hold('tcp', target)
  const client = connect(held.hostPort, '127.0.0.1')
  client.on('error', () => undefined)
  await once(client, 'data')
  await Promise.all([held.close(), once(client, 'close')])
  expect((await hold('tcp', target, held.hostPort)).hostPort).toBe(held.hostPort)
})

test('a port that is held is nobody else’s', async () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    const { hostPort } = await hold(protocol, undefined)
    await expect(hold(protocol, undefined, hostPort)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  }
})

test('datagrams are passed on, and their answers go back to whoever asked', async () => {
  const container = createSocket('udp4')
  container.on('message', (message, from) =>
    container.send(`${message.toString()}!`, from.port, from.address),
  )
  container.bind(0, '127.0.0.1')
  await once(container, 'listening')
  open.push(container)
  const { hostPort } = await hold('udp', { address: '127.0.0.1', port: container.address().port })
  const clients = ['a', 'b', 'c'].map((word) => {
    const client = createSocket('udp4')
    open.push(client)
    client.send(word, hostPort, '127.0.0.1')
    return once(client, 'message').then(([message]) => String(message))
  })
  expect(await Promise.all(clients)).toEqual(['a!', 'b!', 'c!'])
})
