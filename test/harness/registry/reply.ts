/** Writes an answer, with the fault it is to have. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Fault, Faults, Subject } from './faults.ts'

export interface Reply {
  status: number
  headers: Record<string, string>
  body: Buffer
}

/** The whole, or the part that a Range asks for. */
export function rangedReply(request: IncomingMessage, reply: Reply, fault: Fault | undefined): Reply {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  if (first === undefined || fault?.kind === 'ignore-range' || reply.status !== 200) return reply
  const total = reply.body.length
  const start = Number(first)
  if (start >= total)
    return { status: 416, headers: { 'content-range': `bytes */${total}` }, body: Buffer.alloc(0) }
  const end = last ? Math.min(Number(last), total - 1) : total - 1
  const shift = fault?.kind === 'wrong-range' ? fault.by : 0
  return {
    status: 206,
    headers: { ...reply.headers, 'content-range': `bytes ${start + shift}-${end}/${total}` },
    body: reply.body.subarray(start, end + 1),
  }
}

export async function writeReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  fault: Fault | undefined,
): Promise<void> {
  const { status, headers, body } = faulty(reply, fault)
  const isHead = request.method === 'HEAD'
  const length = { 'content-length': String(body.length + (fault?.kind === 'length' ? fault.by : 0)) }
  const isChunked = fault?.kind === 'chunked' || fault?.kind === 'extra'
  response.writeHead(status, { ...headers, ...(!isChunked && length) })
  if (isHead) {
    response.end()
    return
  }
  // Who is cut off gets what was sent before: end the socket politely, not by a reset.
  if (fault?.kind === 'drop' || fault?.kind === 'stall') {
    response.flushHeaders()
    await write(response, body.subarray(0, fault.after))
    if (fault.kind === 'drop') response.socket?.end()
  } else if (fault?.kind === 'drip') {
    for (let at = 0; at < body.length && !response.destroyed; at += fault.bytes) {
      await write(response, body.subarray(at, at + fault.bytes))
      await sleep(fault.everyMs)
    }
    response.end()
  } else if (fault?.kind === 'length') {
    await write(response, body.subarray(0, body.length + Math.min(0, fault.by)))
    response.socket?.end()
  } else response.end(body)
}

function faulty(reply: Reply, fault: Fault | undefined): Reply {
  switch (fault?.kind) {
    case 'status':
      return {
        status: fault.status,
        headers: {
          'content-type': 'application/json',
          ...fault.headers,
          ...(fault.retryAfter !== undefined && { 'retry-after': fault.retryAfter }),
        },
        body: Buffer.from(
          fault.body ?? JSON.stringify({ errors: [{ code: 'UNAVAILABLE', message: 'not now' }] }),
        ),
      }
    case 'extra':
      return { ...reply, body: Buffer.concat([reply.body, Buffer.alloc(fault.bytes, 0x58)]) }
    case 'flip': {
      const body = Buffer.from(reply.body)
      body[fault.at] = (body[fault.at] ?? 0) ^ 0xff
      return { ...reply, body }
    }
    case 'gzip':
      return {
        status: 200,
        headers: { ...reply.headers, 'content-encoding': 'gzip' },
        body: fault.isLie === true ? reply.body : gzipSync(reply.body),
      }
    case 'body':
      return { ...reply, headers: { ...reply.headers, ...fault.headers }, body: asBuffer(fault.body) }
    case 'headers': {
      const headers = { ...reply.headers, ...fault.headers }
      return {
        ...reply,
        headers: Object.fromEntries(
          Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
        ),
      }
    }
    default:
      return reply
  }
}

/** Takes the fault for an answer and writes it with that. */
export async function answer(
  faults: Faults,
  on: Subject,
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const fault = faults.take(on, request.method ?? 'GET', request.url ?? '/')
  await writeReply(request, response, rangedReply(request, reply, fault), fault)
}

async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || response.destroyed) return
  await new Promise<void>((resolve) => {
    response.write(bytes, () => {
      resolve()
    })
  })
}

function asBuffer(body: string | Buffer): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : body
}
