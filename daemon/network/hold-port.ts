/**
 * A port of the host, really held: a socket of kagod's is bound to it, so that nobody else gets it without being told.
 * What the firewall does not lead to the container arrives at that socket and is passed on: connections to ::1, or to
 * IPv6 addresses of the host for a container without one, and everything where there is no nft.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { HeldPort } from './live-port.ts'
import type { Target } from './ports.ts'
import { passConnection } from './proxy.ts'
import { passDatagrams } from './proxy-udp.ts'

export interface HoldOptions {
  hostAddress: string
  /** 0 for any that is free. */
  hostPort: number
  protocol: 'tcp' | 'udp'
  /** Where to; undefined while it leads nowhere. */
  target: () => Target | undefined
}

/** @throws the error of bind(2): EADDRINUSE, EADDRNOTAVAIL, EACCES, … */
export async function holdPort(options: HoldOptions): Promise<HeldPort> {
  return options.protocol === 'udp' ? await holdUdp(options) : await holdTcp(options)
}

async function holdTcp({ hostAddress, hostPort, target }: HoldOptions): Promise<HeldPort> {
  const connections = new Set<() => void>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    const end = passConnection(client, target())
    connections.add(end)
    client.once('close', () => connections.delete(end))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: hostAddress, port: hostPort, ipv6Only: true, backlog: 1024 }, resolve)
  })
  const bound = server.address()
  return {
    hostPort: typeof bound === 'object' && bound !== null ? bound.port : hostPort,
    close() {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      for (const end of connections) end()
      return promise
    },
  }
}

async function holdUdp({ hostAddress, hostPort, target }: HoldOptions): Promise<HeldPort> {
  const isIpv6 = hostAddress.includes(':')
  const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: hostAddress, port: hostPort, exclusive: true }, resolve)
  })
  const end = passDatagrams(socket, target)
  return {
    hostPort: socket.address().port,
    close() {
      const { promise, resolve } = Promise.withResolvers<void>()
      end()
      socket.close(() => resolve())
      return promise
    },
  }
}
