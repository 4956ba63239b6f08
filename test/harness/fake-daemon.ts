/** A daemon that answers what a test tells it to: for the command line's tests, over a real socket. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { endpoints, framesProtocol, type RouteId } from '../../shared/protocol/endpoints.ts'
import { type Frame, FrameParser } from '../../shared/protocol/frames.ts'

export interface SeenRequest {
  readonly id: RouteId
  readonly params: Record<string, string>
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** The JSON body, or the bytes of another one. */
  readonly body: unknown
}

export interface FakeConnection {
  send(frame: Uint8Array): boolean
  /** The next frame from the client that `matches`; waits for it. */
  next(matches: (frame: Frame) => boolean): Promise<Frame>
  readonly received: readonly Frame[]
  readonly closed: Promise<void>
  /** The connection itself, for those who speak out of turn. */
  readonly socket: Duplex
  end(): void
}

export type FakeAnswer =
  | { status?: number; json: unknown }
  | { lines: unknown[] }
  | { bytes: Uint8Array | Uint8Array[] }
  | { frames: (connection: FakeConnection) => void | Promise<void> }

export type FakeHandlers = { [Id in RouteId]?: (request: SeenRequest) => FakeAnswer | Promise<FakeAnswer> }

export interface FakeDaemon {
  readonly host: string
  readonly socketPath: string
  readonly requests: readonly SeenRequest[]
  close(): Promise<void>
}

export async function startFakeDaemon(handlers: FakeHandlers): Promise<FakeDaemon> {
  const directory = mkdtempSync(join(tmpdir(), 'kago-fake-'))
  const socketPath = join(directory, 'kagod.sock')
  const requests: SeenRequest[] = []
  const sockets = new Set<Socket>()

  const answer = async (request: IncomingMessage, body: Buffer): Promise<FakeAnswer> => {
    const seen = recognise(request, body)
    if (seen === undefined) return notFound(`no route ${request.method ?? ''} ${request.url ?? ''}`)
    requests.push(seen)
    const handler = handlers[seen.id]
    return handler === undefined ? notFound(`the fake daemon has no ${seen.id}`) : await handler(seen)
  }
  const server = createServer((request, response) => {
    void readBody(request).then(async (body) => {
      reply(response, await answer(request, body))
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void readUpgradeBody(request, socket, head).then(async ({ body, rest }) => {
      await replyUpgraded(socket, rest, await answer(request, body))
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    host: `unix://${socketPath}`,
    socketPath,
    requests,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function notFound(message: string): FakeAnswer {
  return { status: 404, json: { error: { code: 'not_found', message } } }
}

function recognise(request: IncomingMessage, body: Buffer): SeenRequest | undefined {
  const url = new URL(request.url ?? '/', 'http://kago')
  for (const [id, endpoint] of Object.entries(endpoints) as [RouteId, string][]) {
    const [method, path = ''] = endpoint.split(' ')
    const pattern = new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
    const match = method === request.method ? pattern.exec(url.pathname) : null
    if (match === null) continue
    const params = Object.fromEntries(
      Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
    )
    const isJson = request.headers['content-type'] === 'application/json'
    const content: unknown = isJson ? JSON.parse(body.toString('utf8')) : body
    return { id, params, query: url.searchParams, headers: request.headers, body: content }
  }
  return undefined
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function reply(response: ServerResponse, answer: FakeAnswer): void {
  if ('json' in answer) {
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer.json))
  } else if ('lines' in answer) {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    for (const line of answer.lines) response.write(`${JSON.stringify(line)}\n`)
    response.end()
  } else if ('bytes' in answer) {
    response.writeHead(200)
    for (const chunk of Array.isArray(answer.bytes) ? answer.bytes : [answer.bytes]) response.write(chunk)
    response.end()
  } else throw new Error('frames need an upgrade')
}

async function readUpgradeBody(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<{ body: Buffer; rest: Buffer }> {
  const length = Number(request.headers['content-length'] ?? 0)
  let all = head
  while (all.length < length) {
    all = Buffer.concat([all, await new Promise<Buffer>((resolve) => socket.once('data', resolve))])
  }
  return { body: all.subarray(0, length), rest: all.subarray(length) }
}

async function replyUpgraded(socket: Duplex, rest: Buffer, answer: FakeAnswer): Promise<void> {
  socket.on('error', () => socket.destroy())
  if (!('frames' in answer)) {
    const { status, text } =
      'json' in answer
        ? { status: answer.status ?? 200, text: JSON.stringify(answer.json) }
        : { status: 500, text: '{}' }
    socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    return
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${framesProtocol}\r\n\r\n`,
  )
  await answer.frames(serveFrames(socket, rest))
}

function serveFrames(socket: Duplex, rest: Buffer): FakeConnection {
  const parser = new FrameParser()
  const received: Frame[] = []
  const waiting: { matches: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = []
  const take = (chunk: Buffer) => {
    for (const { type, payload } of parser.push(chunk)) {
      const frame = { type, payload: Uint8Array.from(payload) }
      received.push(frame)
      const index = waiting.findIndex(({ matches }) => matches(frame))
      if (index >= 0) waiting.splice(index, 1)[0]?.resolve(frame)
    }
  }
  take(rest)
  socket.on('data', take)
  socket.on('end', () => socket.end())
  return {
    socket,
    received,
    send: (frame) => socket.write(frame),
    next: (matches) => {
      const found = received.find(matches)
      return found === undefined
        ? new Promise((resolve) => waiting.push({ matches, resolve }))
        : Promise.resolve(found)
    },
    closed: new Promise((resolve) => {
      socket.once('close', () => {
        resolve()
      })
    }),
    end: () => {
      socket.end()
    },
  }
}
