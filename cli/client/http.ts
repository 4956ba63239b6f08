/**
 * As much of HTTP/1.1 as one request per connection needs: node:http costs every command 9 ms of processor time more.
 * Takes bodies by length, in chunks, or up to the end of the connection; refuses what is longer than its limits.
 */
import type { Socket } from 'node:net'
import { KagoError } from '../../shared/errors.ts'

export const maxHeadBytes = 64 * 1024
const maxChunkLineBytes = 1024

export interface ReplyHead {
  readonly status: number
  /** By lower-case names. */
  readonly headers: ReadonlyMap<string, string>
}

export interface Reply extends ReplyHead {
  /** The bytes after the head. Reading them to the end, or leaving the loop, ends the connection. */
  readonly body: AsyncGenerator<Buffer, void>
}

export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export function formatRequest({ method, path, headers }: RequestHead): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: kago']
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Reads a reply's head; its body is read by whoever gets it. */
export async function readReply(chunks: AsyncIterator<Buffer>): Promise<Reply> {
  const source = new ByteSource(chunks)
  for (;;) {
    const head = parseHead(await source.until('\r\n\r\n', maxHeadBytes))
    if (head.status >= 100 && head.status < 200 && head.status !== 101) continue
    return { ...head, body: readBody(head, source) }
  }
}

/**
 * The bytes of a socket as an iterator that does not close the socket when a loop over it is left. Not the stream's own:
 * that one costs every command a millisecond.
 */
export function chunksOf(socket: Socket): AsyncIterator<Buffer> {
  let failure: Error | undefined
  let wake = () => {}
  const waking = () => wake()
  for (const event of ['readable', 'end', 'close']) socket.on(event, waking)
  socket.on('error', (error) => {
    failure ??= error
    wake()
  })
  return {
    async next() {
      for (;;) {
        // A socket without an encoding gives buffers.
        const value = socket.read() as Buffer | null
        if (value !== null) return { value, done: false }
        if (failure !== undefined) throw failure
        if (socket.readableEnded || socket.destroyed) return { value: undefined, done: true }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

function parseHead(text: Buffer): ReplyHead {
  const [statusLine = '', ...lines] = text.toString('latin1').split('\r\n')
  const status = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(statusLine)?.[1]
  if (status === undefined) throw notHttp(`its first line is ${JSON.stringify(statusLine.slice(0, 80))}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon <= 0) throw notHttp('a header has no name')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return { status: Number(status), headers }
}

async function* readBody(head: ReplyHead, source: ByteSource): AsyncGenerator<Buffer, void> {
  const length = head.headers.get('content-length')
  if (head.status === 204 || head.status === 304) return
  if (head.status !== 101 && head.headers.get('transfer-encoding')?.toLowerCase() === 'chunked') {
    yield* readChunked(source)
  } else if (head.status !== 101 && length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw notHttp('its length is not a number')
    yield* readLength(source, Number(length))
  } else {
    for (let chunk = await source.some(); chunk !== undefined; chunk = await source.some()) yield chunk
  }
}

async function* readChunked(source: ByteSource): AsyncGenerator<Buffer, void> {
  for (;;) {
    const line = (await source.until('\r\n', maxChunkLineBytes)).toString('latin1')
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1]
    if (size === undefined) throw notHttp('a chunk has no size')
    const length = Number.parseInt(size, 16)
    if (length === 0) break
    yield* readLength(source, length)
    if ((await source.until('\r\n', 2)).length > 0) throw notHttp('a chunk is longer than it says')
  }
  // Trailers, up to an empty line.
  while ((await source.until('\r\n', maxHeadBytes)).length > 0);
}

async function* readLength(source: ByteSource, length: number): AsyncGenerator<Buffer, void> {
  let left = length
  while (left > 0) {
    const chunk = await source.some(left)
    if (chunk === undefined) throw cutShort()
    left -= chunk.length
    yield chunk
  }
}

/** Bytes as they come, with those that were read too far given back. */
class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterator<Buffer>) {
    this.#chunks = chunks
  }

  /** What is there next, at most `limit` bytes; undefined at the end. */
  async some(limit: number = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next()
      if (done === true) return undefined
      this.#rest = value
    }
    const chunk = this.#rest.length <= limit ? this.#rest : this.#rest.subarray(0, limit)
    this.#rest = this.#rest.subarray(chunk.length)
    return chunk
  }

  /** The bytes before a mark; the mark is taken away. */
  async until(mark: string, limit: number): Promise<Buffer> {
    let at = this.#rest.indexOf(mark)
    while (at < 0) {
      if (this.#rest.length > limit + mark.length) throw notHttp(`its head is longer than ${limit} bytes`)
      const { value, done } = await this.#chunks.next()
      if (done === true) throw cutShort()
      const from = Math.max(0, this.#rest.length - mark.length)
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value])
      at = this.#rest.indexOf(mark, from)
    }
    if (at > limit) throw notHttp(`a line is longer than ${limit} bytes`)
    const found = this.#rest.subarray(0, at)
    this.#rest = this.#rest.subarray(at + mark.length)
    return found
  }
}

function notHttp(reason: string): KagoError {
  return new KagoError('unavailable', `what answers does not speak the kago protocol: ${reason}`, {
    hint: 'is the socket that of another program?',
  })
}

function cutShort(): KagoError {
  return new KagoError('unavailable', 'kagod closed the connection in the middle of its answer', {
    hint: 'see what it says: journalctl -u kagod',
  })
}
