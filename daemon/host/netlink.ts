/**
 * rtnetlink(7): the kernel's links, addresses and routes, asked for and changed by messages over a socket.
 *
 * A message is a header, a fixed structure and attributes, all in the machine's byte order (little-endian on every
 * machine that kago runs on) and padded to 4 bytes. Several can be sent at once; the kernel answers each with an
 * acknowledgement: 0, or an error's number.
 */
import { closeSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { errnoName, openRouteSocket, receiveBytes, sendBytes, sendBytesNow } from './syscalls.ts'

export const messageTypes = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
} as const
export type MessageType = (typeof messageTypes)[keyof typeof messageTypes]

export const messageFlags = { replace: 0x100, exclusive: 0x200, create: 0x400, dump: 0x300 } as const

const requestFlag = 1
const acknowledgeFlag = 4
const errorType = 2
const doneType = 3
const headerBytes = 16

/** One thing to do. */
export interface Message {
  type: MessageType
  flags?: number
  body: Buffer
  /** For the error: `make the bridge kago0`. */
  what: string
  /** Errors by name that are as good as success: `EEXIST`. */
  allow?: readonly string[]
}

/** What the kernel tells of a link, an address or a route: the type of message, the structure and its attributes. */
export interface Answer {
  type: number
  body: Buffer
}

/** A socket in the network namespace where it was made. Whoever opened it closes it. */
export interface RouteSocket {
  /**
   * Sends all messages at once, off the loop's thread: the kernel may have to wait for others who change links.
   * @returns what the kernel tells beside acknowledging.
   * @throws for the first message that failed, after all have been done.
   */
  send(messages: readonly Message[]): Promise<Answer[]>
  /** Everything of a kind: with the `get` types. */
  list(type: MessageType, body: Buffer): Answer[]
  close(): void
}

/** What is received is looked at before anything else can be. The kernel sends at most 32 KiB at once. */
const received = Buffer.alloc(64 * 1024)

/**
 * The kernel lets one change of links happen at a time, and a worker thread waits for it: so that not all of them
 * do, messages are sent one after the other. What takes long, the deletion of links, has a lane of its own.
 */
const lanes: Record<'quick' | 'slow', Promise<unknown>> = {
  quick: Promise.resolve(),
  slow: Promise.resolve(),
}

export function openRouting(lane: keyof typeof lanes = 'quick'): RouteSocket {
  const fd = openRouteSocket()
  // The first may be waiting for acknowledgements.
  const lister = openRouteSocket()
  let sequence = 0
  let isClosed = false

  async function sendNow(messages: readonly Message[]): Promise<Answer[]> {
    if (isClosed) throw new KagoError('internal', 'the netlink socket is closed')
    const first = sequence + 1
    const bytes = messages.map(({ type, flags = 0, body }) =>
      encode(type, flags | acknowledgeFlag, ++sequence, body),
    )
    await sendBytes(fd, Buffer.concat(bytes))
    const answers: Answer[] = []
    const errors: KagoError[] = []
    for (let left = messages.length; left > 0; ) {
      for (const { type, sequence: number, body } of decode(received, receiveBytes(fd, received))) {
        if (type !== errorType) answers.push({ type, body: Buffer.from(body) })
        else {
          left--
          const message = messages[number - first]
          const error = message && explain(message, -body.readInt32LE(0))
          if (error !== undefined) errors.push(error)
        }
      }
    }
    if (errors[0] !== undefined) throw errors[0]
    return answers
  }

  return {
    send(messages) {
      const mine = lanes[lane].then(() => sendNow(messages))
      lanes[lane] = mine.catch(() => {})
      return mine
    },
    list(type, body) {
      return listNow(lister, type, body)
    },
    close() {
      if (isClosed) return
      isClosed = true
      closeSync(lister)
      void lanes[lane].then(() => {
        closeSync(fd)
      })
    },
  }
}

function listNow(fd: number, type: MessageType, body: Buffer): Answer[] {
  sendBytesNow(fd, encode(type, messageFlags.dump, 1, body))
  const answers: Answer[] = []
  for (;;) {
    for (const answer of decode(received, receiveBytes(fd, received))) {
      if (answer.type === doneType) return answers
      if (answer.type === errorType) {
        const error = explain({ type, body, what: 'list what the network has' }, -answer.body.readInt32LE(0))
        if (error !== undefined) throw error
      }
      answers.push({ type: answer.type, body: Buffer.from(answer.body) })
    }
  }
}

function encode(type: number, flags: number, sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(headerBytes + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags | requestFlag, 6)
  header.writeUInt32LE(sequence, 8)
  return Buffer.concat([header, body])
}

function* decode(
  buffer: Buffer,
  length: number,
): Generator<{ type: number; sequence: number; body: Buffer }> {
  for (let at = 0; at + headerBytes <= length; ) {
    const size = buffer.readUInt32LE(at)
    if (size < headerBytes) return
    yield {
      type: buffer.readUInt16LE(at + 4),
      sequence: buffer.readUInt32LE(at + 8),
      body: buffer.subarray(at + headerBytes, at + size),
    }
    at += padded(size)
  }
}

function explain({ what, allow = [] }: Message, errno: number): KagoError | undefined {
  const code = errnoName(errno)
  if (errno === 0 || allow.includes(code)) return undefined
  const details = { errno: code }
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return new KagoError('permission_denied', `may not ${what}: ${code}`, {
        hint: 'kagod needs CAP_NET_ADMIN; run containers with --network none',
        details,
      })
    case 'EOPNOTSUPP':
      return new KagoError('not_supported', `the kernel cannot ${what}: ${code}`, {
        hint: 'load its module (modprobe bridge veth), or run containers with --network none',
        details,
      })
    case 'ENODEV':
      return new KagoError('not_found', `cannot ${what}: there is no such link`, { details })
    case 'EEXIST':
      return new KagoError('already_exists', `cannot ${what}: it exists`, { details })
    case 'ENOMEM':
    case 'ENOBUFS':
    case 'ENOSPC':
    case 'EXFULL':
      return new KagoError('exhausted', `cannot ${what}: ${code}`, { details })
    default:
      return new KagoError('unavailable', `cannot ${what}: ${code}`, {
        hint: 'run containers with --network none, or see what the kernel says: dmesg',
        details,
      })
  }
}

function padded(length: number): number {
  return (length + 3) & ~3
}

/** An attribute; a list of attributes as its value is a nested one. */
export function attribute(type: number, value: Buffer | number | string | readonly Buffer[]): Buffer {
  const bytes = valueBytes(value)
  const buffer = Buffer.alloc(padded(4 + bytes.length))
  buffer.writeUInt16LE(4 + bytes.length, 0)
  buffer.writeUInt16LE(type, 2)
  bytes.copy(buffer, 4)
  return buffer
}

function valueBytes(value: Buffer | number | string | readonly Buffer[]): Buffer {
  if (typeof value === 'string') return Buffer.from(`${value}\0`)
  if (typeof value !== 'number') return Buffer.isBuffer(value) ? value : Buffer.concat(value)
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** The attributes after a structure of `offset` bytes, by type; of several of one type, the last. */
export function attributesOf(body: Buffer, offset: number): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  for (let at = offset; at + 4 <= body.length; ) {
    const size = body.readUInt16LE(at)
    if (size < 4) break
    attributes.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + size))
    at += padded(size)
  }
  return attributes
}

export function textOf(value: Buffer | undefined): string {
  return value === undefined ? '' : value.toString('utf8', 0, Math.max(0, value.indexOf(0)))
}
