/** One question to one name server, by UDP or TCP, over a socket of its own: a random port and a random id each time. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6 } from 'node:net'
import { isReplyTo, type Query, withId } from './message.ts'
import { frameMessage, MessageReader } from './stream.ts'

export interface Upstream {
  address: string
  port: number
}

export type Transport = 'udp' | 'tcp'

/**
 * The reply as it came, with the client's id. `bytes` is the query as it came.
 * @throws when the server cannot be reached, or `signal` fires.
 */
export async function ask(
  query: Query,
  bytes: Buffer,
  transport: Transport,
  server: Upstream,
  signal: AbortSignal,
): Promise<Buffer> {
  const id = randomInt(0x10000)
  const reply = await (transport === 'udp' ? askByUdp : askByTcp)(
    query,
    withId(bytes, id),
    id,
    server,
    signal,
  )
  return withId(reply, query.id)
}

type Exchange = (
  query: Query,
  bytes: Buffer,
  id: number,
  server: Upstream,
  signal: AbortSignal,
) => Promise<Buffer>

/** The socket is connected: the kernel lets nothing through from elsewhere, and tells if nobody listens there. */
const askByUdp: Exchange = async (query, bytes, id, { address, port }, signal) => {
  signal.throwIfAborted()
  const socket = createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    lookup: (hostname, _options, done) => {
      done(null, hostname, isIPv6(hostname) ? 6 : 4)
    },
  })
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const abort = () => {
    reject(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  socket.on('error', reject)
  socket.on('message', (message) => {
    if (isReplyTo(query, id, message)) resolve(message)
  })
  try {
    // A callback of connect would be called for a failure too; the event is for success only.
    socket.once('connect', () => {
      socket.send(bytes)
    })
    socket.connect(port, address)
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    socket.close()
  }
}

const askByTcp: Exchange = async (query, bytes, id, { address, port }, signal) => {
  const socket = connect({ host: address, port, signal })
  try {
    await once(socket, 'connect', { signal })
    socket.write(frameMessage(bytes))
    const reader = new MessageReader(0xffff)
    for await (const chunk of socket) {
      for (const message of reader.push(chunk)) if (isReplyTo(query, id, message)) return message
    }
    throw new Error(`${address} closed the connection without an answer`)
  } finally {
    socket.destroy()
  }
}
