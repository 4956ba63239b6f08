/** Calls the daemon's routes, typed by the contract: one connection and one request a call. */
import type { Socket } from 'node:net'
import { isErrorCode, KagoError } from '../../shared/errors.ts'
import { bodyTypes, endpoints, framesProtocol, type RouteId } from '../../shared/protocol/endpoints.ts'
import type { Routes } from '../../shared/protocol/index.ts'
import type { Progress } from '../../shared/protocol/progress.ts'
import type { BodyOf, LineOf, ParamsOf, QueryOf, ReplyKind, ResultOf } from '../../shared/protocol/route.ts'
import type { Address } from './address.ts'
import { explainBroken, openConnection } from './connection.ts'
import { chunksOf, formatRequest, type Reply, readReply } from './http.ts'

/** What it takes to call: where the daemon is. */
export interface Client {
  readonly address: Address
  /** Told of what may take long: the route and what it acts on; what it answers with is called at its end. */
  readonly onWait?: (id: RouteId, target: string | undefined) => () => void
}

type Keep<Key extends string, T> = undefined extends T
  ? { [K in Key]?: undefined }
  : Record<never, never> extends T
    ? { [K in Key]?: T }
    : { [K in Key]: T }

export type RequestOf<Id extends RouteId> = Keep<'params', ParamsOf<Routes[Id]>> &
  Keep<'query', QueryOf<Routes[Id]>> &
  (BodyOf<Routes[Id]> extends string ? { body?: undefined } : Keep<'body', BodyOf<Routes[Id]>>) & {
    /** More headers: credentials. */
    headers?: Readonly<Record<string, string>>
  }

type RouteOfKind<Kind extends ReplyKind> = {
  [Id in RouteId]: Routes[Id]['reply'] extends Kind ? Id : never
}[RouteId]

interface AnyRequest {
  params?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, unknown>>
  body?: unknown
  headers?: Readonly<Record<string, string>>
}

const maxJsonBytes = 256 * 1024 * 1024
const maxLineBytes = 16 * 1024 * 1024

/** Asks and has the answer. `upload` is the request's body, where that is an archive. */
export async function call<Id extends RouteOfKind<'json'>>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
  upload?: AsyncIterable<Uint8Array>,
): Promise<ResultOf<Routes[Id]>> {
  const done = endpoints[id].startsWith('GET ') ? undefined : beginWait(client, id, request)
  return await withReply(client, id, request, { upload }, async (reply) => {
    // The daemon is what the contract says it is; its version is compared where that matters.
    return parseJson(await readAll(reply.body, maxJsonBytes)) as ResultOf<Routes[Id]>
  }).finally(done)
}

/** Asks for something that takes long: progress as it happens, then the result. `upload` is the request's body. */
export async function callLines<Id extends RouteOfKind<'lines'>>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
  onProgress: (progress: Progress) => void,
  upload?: AsyncIterable<Uint8Array>,
): Promise<ResultOf<Routes[Id]>> {
  // Progress says more than that something goes on.
  const done = beginWait(client, id, request)
  return await withReply(client, id, request, { upload }, async (reply) => {
    for await (const line of linesOf(reply.body)) {
      const object = parseJson(line)
      if (!isRecord(object)) continue
      if (object['type'] !== 'created') done?.()
      if (object['type'] === 'result') return object['result'] as ResultOf<Routes[Id]>
      if (object['type'] === 'error') throw errorFromReply(object, 500)
      onProgress(object as unknown as Progress)
    }
    throw new KagoError('unavailable', 'kagod closed the connection before it was done', {
      hint: 'see what it says: journalctl -u kagod',
    })
  }).finally(done)
}

function beginWait({ onWait }: Client, id: RouteId, request: AnyRequest): (() => void) | undefined {
  const { params = {}, query = {}, body = {} } = request
  const [target] = [
    ...Object.values(params),
    query['name'],
    isRecord(body) ? body['name'] : undefined,
  ].filter((value) => typeof value === 'string')
  return onWait?.(id, target)
}

/** Asks for what never ends by itself: each object as it comes. Returns when the daemon says that it was the last. */
export async function callStream<Id extends RouteOfKind<'stream'>>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
  onLine: (line: LineOf<Routes[Id]>) => Promise<void>,
): Promise<void> {
  await withReply(client, id, request, {}, async (reply) => {
    for await (const text of linesOf(reply.body)) {
      const object = parseJson(text)
      if (!isRecord(object)) continue
      if (object['type'] === 'result') return
      if (object['type'] === 'error') throw errorFromReply(object, 500)
      await onLine(object as LineOf<Routes[Id]>)
    }
    throw new KagoError('unavailable', 'kagod closed the connection before it was done', {
      hint: 'see what it says: journalctl -u kagod',
    })
  })
}

/** Asks for bytes: an archive, or frames as a reply's body. `use` reads them. */
export async function callBytes<Id extends RouteOfKind<'tar' | 'frames'>, T>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
  use: (body: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  return await withReply(client, id, request, {}, (reply) => use(reply.body))
}

/** A connection that has become kago-frames. Whoever gets it calls `close`. */
export interface FrameConnection {
  readonly chunks: AsyncIterable<Buffer>
  /** Answers false when the peer should be given time: wait for `onDrain`. */
  send(frame: Uint8Array): boolean
  onDrain(callback: () => void): void
  close(): void
}

/** Asks for a connection of frames. */
export async function openFrames<Id extends RouteOfKind<'upgrade'>>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
): Promise<FrameConnection> {
  const socket = await openConnection(client.address)
  try {
    send(socket, id, request, { Connection: 'Upgrade', Upgrade: framesProtocol })
    const reply = await readReply(chunksOf(socket))
    if (reply.status !== 101) throw await refusal(reply)
    socket.on('error', () => socket.destroy())
    return {
      chunks: explained(reply.body, client.address),
      send: (frame) => socket.destroyed || socket.write(frame),
      onDrain: (callback) => {
        socket.once('drain', callback)
      },
      close: () => {
        socket.destroy()
      },
    }
  } catch (error) {
    socket.destroy()
    throw explainBroken(error, client.address)
  }
}

async function* explained(chunks: AsyncIterable<Buffer>, address: Address): AsyncGenerator<Buffer, void> {
  try {
    yield* chunks
  } catch (error) {
    throw explainBroken(error, address)
  }
}

interface How {
  upload?: AsyncIterable<Uint8Array> | undefined
}

async function withReply<T>(
  client: Client,
  id: RouteId,
  request: AnyRequest,
  { upload }: How,
  use: (reply: Reply) => Promise<T>,
): Promise<T> {
  const socket = await openConnection(client.address)
  const uploading = new AbortController()
  try {
    // A server that closes at its reply would lose it among what is still being uploaded: there, the client closes.
    const headers = upload === undefined ? { Connection: 'close' } : undefined
    send(socket, id, request, headers ?? {}, upload !== undefined)
    const sent = upload === undefined ? undefined : sendChunks(socket, upload, uploading.signal)
    const reply = await Promise.race([readReply(chunksOf(socket)), neverUnlessFails(sent)])
    if (reply.status >= 300) throw await refusal(reply)
    return await Promise.race([use(reply), neverUnlessFails(sent)])
  } catch (error) {
    throw explainBroken(error, client.address)
  } finally {
    uploading.abort()
    socket.on('error', () => {})
    socket.destroy()
  }
}

/** Lets the failure of an upload (the file could not be read) end the call; its success ends nothing. */
async function neverUnlessFails(work: Promise<void> | undefined): Promise<never> {
  await work
  return await new Promise<never>(() => {})
}

function send(
  socket: Socket,
  id: RouteId,
  request: AnyRequest,
  headers: Record<string, string>,
  isUpload: boolean = false,
): void {
  const [method = '', path = ''] = endpoints[id].split(' ')
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  const all: Record<string, string> = { ...headers, ...request.headers }
  if (isUpload) {
    all['Content-Type'] = bodyTypes.tar
    all['Transfer-Encoding'] = 'chunked'
  } else if (body !== undefined) {
    all['Content-Type'] = 'application/json'
    all['Content-Length'] = String(Buffer.byteLength(body))
  }
  const target = fillPath(path, request.params ?? {}) + formatQuery(request.query ?? {})
  socket.write(formatRequest({ method, path: target, headers: all }) + (body ?? ''))
}

export function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/:([a-zA-Z]+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
}

export function formatQuery(query: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => {
    if (value === undefined || value === false) return []
    return (Array.isArray(value) ? value : [value]).map((one) => `${key}=${encodeURIComponent(String(one))}`)
  })
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

async function sendChunks(
  socket: Socket,
  upload: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of upload) {
    if (signal.aborted || socket.destroyed) return
    if (chunk.length === 0) continue
    socket.write(`${chunk.length.toString(16)}\r\n`)
    socket.write(chunk)
    if (!socket.write('\r\n')) await drained(socket)
  }
  if (!socket.destroyed) socket.write('0\r\n\r\n')
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      socket.off('drain', go)
      socket.off('close', go)
      resolve()
    }
    socket.on('drain', go)
    socket.on('close', go)
  })
}

async function refusal(reply: Reply): Promise<KagoError> {
  const text = await readAll(reply.body, maxJsonBytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return new KagoError('unavailable', `kagod answered ${reply.status} and nothing that can be read`, {
      cause: error,
    })
  }
  return errorFromReply(value, reply.status)
}

/** `{ "error": ErrorBody }` as the error it stands for, believing nothing of its form. */
export function errorFromReply(value: unknown, status: number): KagoError {
  const body = isRecord(value) ? value['error'] : undefined
  if (!isRecord(body) || typeof body['message'] !== 'string') {
    return new KagoError('unavailable', `kagod answered ${status} without saying why`)
  }
  const text = (key: string) => (typeof body[key] === 'string' ? body[key] : undefined)
  return new KagoError(isErrorCode(body['code']) ? body['code'] : 'internal', body['message'], {
    hint: text('hint'),
    operation: text('operation'),
    details: isRecord(body['details']) ? body['details'] : undefined,
  })
}

async function readAll(body: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) throw new KagoError('unavailable', `kagod's answer is longer than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Lines of UTF-8; what comes after the last newline is a line too. */
async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of body) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > 0) yield rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
    }
    if (rest.length > maxLineBytes) {
      throw new KagoError('unavailable', `a line of kagod's answer is longer than ${maxLineBytes} bytes`)
    }
  }
  if (rest.length > 0) yield rest.toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KagoError('unavailable', 'kagod answered something that is not JSON', { cause: error })
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
