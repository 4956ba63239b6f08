/** The name server: for every network, UDP and TCP at its gateway's addresses. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv6, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { KagoError } from '../../../shared/errors.ts'
import type { Log } from '../../telemetry/log.ts'
import { parseAddress } from './addresses.ts'
import { createForwarder, type ForwarderOptions } from './forward.ts'
import type { Names } from './names.ts'
import type { HostResolvers } from './resolvers.ts'
import { respond, type Responder } from './respond.ts'
import { serveConnection } from './connection.ts'
import { createThrottle } from './throttle.ts'

export interface NameServerOptions {
  names: Names
  resolvers: HostResolvers
  log: Log
  forwarding?: ForwarderOptions
  upstreamPort?: number
  /** What one client may ask in a second; more is dropped. */
  queriesPerSecond?: number
}

export interface NameServer {
  /**
   * Answers a network's questions from now on; the port that was found, the same for all addresses and for UDP and
   * TCP. Already listening is success. `port` 0 lets the kernel choose.
   * @throws in_use, unavailable
   */
  listen(networkId: string, addresses: readonly string[], port?: number): Promise<number>
  /** Undefined if nothing listens for the network. */
  portOf(networkId: string): number | undefined
  unlisten(networkId: string): Promise<void>
  close(): Promise<void>
}

interface Listening {
  addresses: readonly string[]
  port: number
  close(): Promise<void>
}

interface Opened {
  port: number
  close(): Promise<void>
}

const maxConnections = 128
const maxConnectionsPerClient = 16
const attempts = 20

export function createNameServer(options: NameServerOptions): NameServer {
  const { names, resolvers, log, queriesPerSecond = 5000 } = options
  const forwarder = createForwarder(options.forwarding)
  const throttle = createThrottle(queriesPerSecond)
  const listening = new Map<string, Promise<Listening>>()
  /** `address port`, also of the port that the firewall passes on from. */
  const own = new Set<string>()
  let turn = 0
  const responder: Responder = {
    names,
    resolvers,
    forwarder,
    log,
    upstreamPort: options.upstreamPort ?? 53,
    isOwn: ({ address, port }) => own.has(`${address} ${port}`),
    nextTurn: () => turn++,
  }
  const ports = new Map<string, number>()

  return {
    async listen(networkId, addresses, port = 0) {
      const known = listening.get(networkId)
      if (known !== undefined) return (await known).port
      const opening = open(networkId, addresses, port)
      listening.set(networkId, opening)
      try {
        const opened = await opening
        for (const place of placesOf(opened)) own.add(place)
        ports.set(networkId, opened.port)
        return opened.port
      } catch (error) {
        listening.delete(networkId)
        throw error
      }
    },
    portOf: (networkId) => ports.get(networkId),
    async unlisten(networkId) {
      const opening = listening.get(networkId)
      if (opening === undefined) return
      listening.delete(networkId)
      ports.delete(networkId)
      const opened = await opening
      for (const place of placesOf(opened)) own.delete(place)
      await opened.close()
    },
    async close() {
      forwarder.close()
      const all = await Promise.allSettled(listening.values())
      listening.clear()
      for (const one of all) if (one.status === 'fulfilled') await one.value.close()
    },
  }

  /** A port that is free for UDP may be taken for TCP, or at another address: then another one is tried. */
  async function open(networkId: string, addresses: readonly string[], wanted: number): Promise<Listening> {
    for (let attempt = 1; ; attempt++) {
      const closers: (() => Promise<void>)[] = []
      const close = async () => {
        await Promise.all(closers.map((closer) => closer()))
      }
      let port = wanted
      try {
        for (const address of addresses) {
          const udp = await openUdp(networkId, address, port)
          closers.push(udp.close)
          port = udp.port
          closers.push(await openTcp(networkId, address, port))
        }
        return { addresses, port, close }
      } catch (error) {
        await close()
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        const isWorthWaiting = code === 'EADDRNOTAVAIL' || (code === 'EADDRINUSE' && wanted === 0)
        if (!isWorthWaiting || attempt === attempts) throw describe(error, addresses, port)
        // An address of IPv6 is not usable in the moment that it was given.
        if (code === 'EADDRNOTAVAIL') await sleep(100)
      }
    }
  }

  async function openUdp(networkId: string, address: string, port: number): Promise<Opened> {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address) })
    try {
      const bound = once(socket, 'listening')
      socket.bind({ address, port, exclusive: true })
      await bound
    } catch (error) {
      socket.close()
      throw error
    }
    socket.on('error', (error) => {
      log.warn({ err: error, address }, 'the name server could not receive')
    })
    let isOpen = true
    socket.on('message', (bytes, from) => {
      // From port 0 comes what wants no answer; none can be sent there.
      if (from.port === 0 || !throttle.admits(from.address)) return
      const source = parseAddress(from.address)
      if (source === undefined) return
      const send = (reply: Buffer | undefined) => {
        // Whether a reply by UDP arrives is the client's care: it asks again.
        if (reply !== undefined && isOpen) socket.send(reply, from.port, from.address, () => {})
      }
      guard(() => respond(responder, { networkId, source, transport: 'udp' }, bytes), send)
    })
    return {
      port: socket.address().port,
      async close() {
        isOpen = false
        const closed = once(socket, 'close')
        socket.close()
        await closed
      },
    }
  }

  async function openTcp(networkId: string, address: string, port: number): Promise<() => Promise<void>> {
    const connections = new Map<Socket, string>()
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const source = parseAddress(socket.remoteAddress ?? '')
      const ofSame = [...connections.values()].filter((text) => text === source?.text).length
      if (source === undefined || ofSame >= maxConnectionsPerClient) {
        socket.destroy()
        return
      }
      connections.set(socket, source.text)
      socket.once('close', () => connections.delete(socket))
      serveConnection(socket, async (bytes) => {
        if (!throttle.admits(source.text)) return undefined
        return await respond(responder, { networkId, source, transport: 'tcp' }, bytes)
      })
    })
    server.maxConnections = maxConnections
    const bound = once(server, 'listening')
    server.listen({ host: address, port, ipv6Only: isIPv6(address), exclusive: true })
    await bound
    server.on('error', (error) => {
      log.warn({ err: error, address }, 'the name server could not accept a connection')
    })
    return async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of connections.keys()) socket.destroy()
      await closed
    }
  }

  /** What goes wrong with one question is logged, and hurts no other. */
  function guard(
    work: () => Buffer | Promise<Buffer | undefined> | undefined,
    send: (reply: Buffer | undefined) => void,
  ): void {
    const failed = (error: unknown) => {
      log.warn({ err: error }, 'a question to the name server failed')
    }
    try {
      const reply = work()
      if (reply instanceof Promise) reply.then(send).catch(failed)
      else send(reply)
    } catch (error) {
      failed(error)
    }
  }
}

/** Where questions may be sent to: its own port, and the usual one, from which the firewall passes them on. */
function placesOf({ addresses, port }: Listening): string[] {
  return addresses.flatMap((address) => [`${address} ${port}`, `${address} 53`])
}

function describe(error: unknown, addresses: readonly string[], port: number): KagoError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = `${addresses.join(', ')} port ${port}`
  if (code === 'EADDRINUSE')
    return new KagoError('in_use', `the name server's place is taken: ${where}`, {
      hint: `find who has it: ss -lunp 'sport = :${port}'`,
      cause: error,
    })
  return new KagoError('unavailable', `the name server cannot listen at ${where}`, { cause: error })
}
