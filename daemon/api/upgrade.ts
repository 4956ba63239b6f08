/**
 * Connections that become kago-frames. node:http hands such a request over before its body is read; here the body is
 * read, and the request goes through fastify's routing like any other: schemas and errors come before the upgrade.
 */
import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http'
import { type Duplex, Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { KagoError } from '../../shared/errors.ts'
import { framesProtocol } from '../../shared/protocol/endpoints.ts'
import type { Upgraded } from './route-table.ts'

const bodyLimit = 16 * 1024 * 1024
/** From the head of the request to the end of its body: a client that is slower is not at work. */
const bodyTimeoutMs = 60_000

/** What fastify reads of a request, with the body that came before the frames. */
class UpgradeRequest extends Readable {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: string[]
  readonly httpVersion: string
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
  readonly socket: Duplex

  constructor(request: IncomingMessage, socket: Duplex, body: Buffer) {
    super({ read: () => {} })
    this.method = request.method ?? 'GET'
    this.url = request.url ?? '/'
    this.headers = request.headers
    this.rawHeaders = request.rawHeaders
    this.httpVersion = request.httpVersion
    this.httpVersionMajor = request.httpVersionMajor
    this.httpVersionMinor = request.httpVersionMinor
    this.socket = socket
    if (body.length > 0) this.push(body)
    this.push(null)
  }
}

export function acceptUpgrades(app: FastifyInstance): void {
  // node:http forgets a connection that is upgraded; the server's end has to end it.
  const sockets = new Set<Duplex>()
  app.addHook('preClose', async () => {
    for (const socket of sockets) socket.destroy()
  })
  app.server.on(
    'upgrade',
    (request: IncomingMessage, socket: Duplex & { _httpMessage?: unknown }, head: Buffer) => {
      // A request before it on this connection is not answered yet, and frames would come in its answer.
      if (socket._httpMessage) return void socket.destroy()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => socket.destroy())
      const late = setTimeout(() => socket.destroy(), bodyTimeoutMs)
      void readBody(request, socket, head)
        .finally(() => {
          clearTimeout(late)
        })
        .then(
          (body) => {
            const upgrade = new UpgradeRequest(request, socket, body)
            // It has the parts of an IncomingMessage that node:http and fastify read of a request.
            const message = upgrade as unknown as IncomingMessage
            const response = new ServerResponse(message)
            response.shouldKeepAlive = false
            response.assignSocket(socket as never)
            response.once('finish', () => socket.end())
            app.routing(message, response)
          },
          (error: unknown) => {
            const message = error instanceof KagoError ? error.message : 'the body could not be read'
            const body = JSON.stringify({ error: { code: 'invalid_argument', message } })
            socket.end(
              `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
            )
          },
        )
    },
  )
}

/** Answers a route whose reply is an upgrade: 101 once the handler has agreed, then frames until they end. */
export async function upgradeReply(
  request: FastifyRequest,
  reply: FastifyReply,
  agree: () => Promise<Upgraded>,
): Promise<FastifyReply> {
  const { raw } = request as { raw: unknown }
  if (!(raw instanceof UpgradeRequest) || request.headers.upgrade !== framesProtocol) {
    throw new KagoError('invalid_argument', 'this route answers by frames only', {
      hint: `send the headers Connection: Upgrade and Upgrade: ${framesProtocol}`,
    })
  }
  const upgraded = await agree()
  reply.hijack()
  const { socket } = raw
  reply.raw.detachSocket(socket as never)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${framesProtocol}\r\n\r\n`,
  )
  try {
    await upgraded.serve(socket)
  } finally {
    socket.end()
  }
  return reply
}

/** Exactly Content-Length bytes; what follows them is frames and goes back to the socket. */
async function readBody(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Buffer> {
  if (request.headers['transfer-encoding'] !== undefined) {
    throw new KagoError('invalid_argument', 'a request that asks for an upgrade needs a Content-Length')
  }
  const length = Number(request.headers['content-length'] ?? 0)
  if (!Number.isSafeInteger(length) || length < 0 || length > bodyLimit) {
    throw new KagoError('invalid_argument', `the body may have up to ${bodyLimit} bytes`)
  }
  const chunks = [head]
  let size = head.length
  while (size < length) {
    const chunk = await nextChunk(socket)
    chunks.push(chunk)
    size += chunk.length
  }
  const all = Buffer.concat(chunks)
  if (all.length > length) socket.unshift(all.subarray(length))
  return all.subarray(0, length)
}

async function nextChunk(socket: Duplex): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read() as Buffer | null
    if (chunk !== null) return chunk
    if (socket.readableEnded || socket.destroyed) throw new KagoError('cancelled', 'the client went away')
    await new Promise<void>((resolve) => {
      const go = () => {
        for (const event of ['readable', 'end', 'close']) socket.off(event, go)
        resolve()
      }
      for (const event of ['readable', 'end', 'close']) socket.once(event, go)
    })
  }
}
