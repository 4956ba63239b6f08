/** Passes datagrams on to a container, and its answers back to whoever asked: a socket for each of them, for a while. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Target } from './ports.ts'

const idleMs = 60_000
/** More at once are not served: each is a descriptor of the daemon. */
const maxClients = 512

interface Session {
  socket: Socket
  timer: NodeJS.Timeout
}

/** What it returns ends all of it but the socket. */
export function passDatagrams(socket: Socket, target: () => Target | undefined): () => void {
  const sessions = new Map<string, Session>()
  const end = (key: string) => {
    const session = sessions.get(key)
    if (session === undefined) return
    sessions.delete(key)
    clearTimeout(session.timer)
    session.socket.close()
  }
  // A client that is gone answers by ICMP; that is no error of the port's.
  socket.on('error', () => undefined)
  socket.on('message', (message, from) => {
    const to = target()
    if (to === undefined) return
    const key = `${from.address} ${from.port}`
    let session = sessions.get(key)
    if (session === undefined) {
      if (sessions.size >= maxClients) return
      session = open(socket, from, to, () => end(key))
      sessions.set(key, session)
    }
    session.timer.refresh()
    session.socket.send(message, to.port, to.address, () => undefined)
  })
  return () => {
    for (const key of sessions.keys()) end(key)
  }
}

function open(outer: Socket, from: RemoteInfo, to: Target, end: () => void): Session {
  const socket = createSocket(to.address.includes(':') ? 'udp6' : 'udp4')
  const timer = setTimeout(end, idleMs).unref()
  socket.on('error', end)
  socket.on('message', (message) => {
    timer.refresh()
    outer.send(message, from.port, from.address, () => undefined)
  })
  return { socket, timer }
}
