/**
 * kago-frames: how a connection carries a container's stdin, output, terminal size, signals and exit at once.
 * The same bytes are spoken between command line and daemon (after an HTTP Upgrade) and between daemon and shim.
 *
 * A frame is an 8-byte header (type, three zero bytes, payload length as 32 bits big-endian) and its payload.
 * A payload has at most 1 MiB. An unknown type, a non-zero byte or a larger length is a protocol error: it ends the
 * connection that sent it, and only that.
 */
import type { ErrorBody } from '../errors.ts'
import { KagoError } from '../errors.ts'

export const frameTypes = {
  /** bytes for the container's stdin */
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** columns and rows, 16 bits big-endian each */
  resize: 3,
  /** a signal's name without SIG, or its number, in ASCII */
  signal: 4,
  /** the sender's stdin has ended; output goes on */
  close: 5,
  /** JSON `ContainerExit`; the last frame */
  exit: 6,
  /** JSON `ErrorBody` */
  error: 7,
  /** JSON, one progress object; from daemon to client only */
  event: 8,
  /** one byte of `attachFlags`; from client to shim only */
  attach: 9,
  /** JSON `ContainerStart` */
  started: 10,
} as const

export type FrameName = keyof typeof frameTypes
export type FrameType = (typeof frameTypes)[FrameName]

export const frameHeaderLength = 8
export const maxFramePayloadBytes = 1024 * 1024

/** What an attached connection wants. None of them: to be told of start and exit. */
export const attachFlags = { output: 1, stdin: 2 } as const

export interface Frame {
  type: FrameType
  /** May share memory with the chunk it came in: valid as long as the chunk is not overwritten. */
  payload: Uint8Array
}

export interface TerminalSize {
  columns: number
  rows: number
}

/** The container's process: a pid means nothing without its start time (field 22 of /proc/PID/stat, in clock ticks). */
export interface ContainerStart {
  pid: number
  startTime: number
}

/** How the container's process ended. `status` is its exit code, or 128 + `signal` if a signal killed it. */
export interface ContainerExit {
  status: number
  signal: number | null
  /** ISO 8601, UTC, milliseconds */
  exitedAt: string
}

const highestType = Math.max(...Object.values(frameTypes))
const empty = new Uint8Array(0)

/** The header alone, for those who write a large payload without copying it. */
export function encodeFrameHeader(type: FrameType, payloadBytes: number): Uint8Array {
  if (payloadBytes > maxFramePayloadBytes)
    throw new KagoError('internal', `a frame of ${payloadBytes} bytes is too large`)
  const header = new Uint8Array(frameHeaderLength)
  header[0] = type
  new DataView(header.buffer).setUint32(4, payloadBytes)
  return header
}

export function encodeFrame(type: FrameType, payload: Uint8Array = empty): Uint8Array {
  const frame = new Uint8Array(frameHeaderLength + payload.length)
  frame.set(encodeFrameHeader(type, payload.length))
  frame.set(payload, frameHeaderLength)
  return frame
}

export function encodeJsonFrame(type: FrameType, value: unknown): Uint8Array {
  return encodeFrame(type, new TextEncoder().encode(JSON.stringify(value)))
}

export function encodeResize(size: TerminalSize): Uint8Array {
  const payload = new Uint8Array(4)
  const view = new DataView(payload.buffer)
  view.setUint16(0, clampSize(size.columns))
  view.setUint16(2, clampSize(size.rows))
  return encodeFrame(frameTypes.resize, payload)
}

export function encodeSignal(name: string): Uint8Array {
  return encodeFrame(frameTypes.signal, new TextEncoder().encode(name.replace(/^SIG/, '')))
}

export function encodeClose(): Uint8Array {
  return encodeFrame(frameTypes.close)
}

export function encodeAttach(wants: { output: boolean; stdin: boolean }): Uint8Array {
  const flags = (wants.output ? attachFlags.output : 0) | (wants.stdin ? attachFlags.stdin : 0)
  return encodeFrame(frameTypes.attach, Uint8Array.of(flags))
}

export function encodeStarted(start: ContainerStart): Uint8Array {
  return encodeJsonFrame(frameTypes.started, start)
}

export function encodeExit(exit: ContainerExit): Uint8Array {
  return encodeJsonFrame(frameTypes.exit, exit)
}

export function encodeError(body: ErrorBody): Uint8Array {
  return encodeJsonFrame(frameTypes.error, body)
}

export function parseResize(payload: Uint8Array): TerminalSize {
  if (payload.length !== 4) throw protocolError(`a resize frame has 4 bytes, not ${payload.length}`)
  const view = new DataView(payload.buffer, payload.byteOffset, 4)
  return { columns: view.getUint16(0), rows: view.getUint16(2) }
}

/** The name as sent, upper case and without SIG; whether there is such a signal is for the receiver to know. */
export function parseSignal(payload: Uint8Array): string {
  const name = new TextDecoder().decode(payload)
  if (!/^[A-Z0-9+-]{1,16}$/.test(name)) throw protocolError('a signal frame holds no signal name')
  return name.replace(/^SIG/, '')
}

export function parseStarted(payload: Uint8Array): ContainerStart {
  const { pid, startTime } = parseJsonObject(payload, 'started')
  if (!isNatural(pid) || !isNatural(startTime))
    throw protocolError('a started frame holds no pid and start time')
  return { pid, startTime }
}

export function parseExit(payload: Uint8Array): ContainerExit {
  const { status, signal, exitedAt } = parseJsonObject(payload, 'exit')
  if (!isNatural(status) || !(signal === null || isNatural(signal)) || typeof exitedAt !== 'string')
    throw protocolError('an exit frame holds no exit status')
  return { status, signal, exitedAt }
}

export function parseError(payload: Uint8Array): KagoError {
  const body = parseJsonObject(payload, 'error')
  if (typeof body.code !== 'string' || typeof body.message !== 'string')
    throw protocolError('an error frame holds no code and message')
  const details = isObject(body.details) ? body.details : undefined
  const hint = typeof body.hint === 'string' ? body.hint : undefined
  const operation = typeof body.operation === 'string' ? body.operation : undefined
  return KagoError.fromBody({
    // fromBody turns a code it does not know into `internal`
    code: body.code as ErrorBody['code'],
    message: body.message,
    ...(hint !== undefined && { hint }),
    ...(details && { details }),
    ...(operation !== undefined && { operation }),
  })
}

export function parseJsonObject(payload: Uint8Array, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    if (isObject(value)) return value
  } catch (cause) {
    throw protocolError(`${article(what)} frame holds no JSON`, cause)
  }
  throw protocolError(`${article(what)} frame holds no JSON object`)
}

export interface FrameParserOptions {
  /**
   * Hand out the bytes of stdin, stdout and stderr as they arrive instead of waiting for the whole frame: no copy is
   * made. One sent frame then comes out as several of the same type.
   */
  pieces?: boolean
}

/**
 * Takes a connection's bytes, cut anywhere, and gives back its frames.
 * After it has thrown, the connection cannot be understood any more: close it.
 */
export class FrameParser {
  readonly #pieces: boolean
  readonly #header = new Uint8Array(frameHeaderLength)
  #headerBytes = 0
  #payloadBytes = 0
  #received = 0
  #payload: Uint8Array | undefined

  constructor(options: FrameParserOptions = {}) {
    this.#pieces = options.pieces ?? false
  }

  /** Whether the connection may end here: no frame has begun and not ended. */
  get isBetweenFrames(): boolean {
    return this.#headerBytes === 0
  }

  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = []
    let at = 0
    while (at < chunk.length || this.#isComplete) {
      if (this.#headerBytes < frameHeaderLength) {
        at += this.#takeHeader(chunk, at)
        continue
      }
      at += this.#takePayload(chunk, at, frames)
    }
    return frames
  }

  get #isComplete(): boolean {
    return this.#headerBytes === frameHeaderLength && this.#received === this.#payloadBytes
  }

  get #type(): FrameType {
    return (this.#header[0] ?? 0) as FrameType
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const taken = Math.min(frameHeaderLength - this.#headerBytes, chunk.length - at)
    for (let i = 0; i < taken; i++) this.#header[this.#headerBytes++] = chunk[at + i] ?? 0
    if (this.#headerBytes === frameHeaderLength) this.#checkHeader()
    return taken
  }

  #checkHeader(): void {
    const [type = 0, a, b, c] = this.#header
    const length = new DataView(this.#header.buffer).getUint32(4)
    if (type > highestType) throw protocolError(`unknown frame type ${type}`)
    if (a !== 0 || b !== 0 || c !== 0) throw protocolError('a frame header has bytes set that must be zero')
    if (length > maxFramePayloadBytes) throw protocolError(`a frame of ${length} bytes is too large`)
    this.#payloadBytes = length
    this.#received = 0
    this.#payload = undefined
  }

  #takePayload(chunk: Uint8Array, at: number, frames: Frame[]): number {
    const left = this.#payloadBytes - this.#received
    const taken = Math.min(left, chunk.length - at)
    const bytes = chunk.subarray(at, at + taken)
    const asPieces = this.#pieces && this.#type <= frameTypes.stderr
    if (asPieces || taken === this.#payloadBytes) {
      if (taken > 0 || this.#payloadBytes === 0) frames.push({ type: this.#type, payload: bytes })
      this.#received += taken
      if (this.#received === this.#payloadBytes) this.#headerBytes = 0
      return taken
    }
    this.#payload ??= new Uint8Array(this.#payloadBytes)
    this.#payload.set(bytes, this.#received)
    this.#received += taken
    if (this.#received === this.#payloadBytes) {
      frames.push({ type: this.#type, payload: this.#payload })
      this.#payload = undefined
      this.#headerBytes = 0
    }
    return taken
  }
}

function protocolError(message: string, cause?: unknown): KagoError {
  return new KagoError('invalid_argument', `protocol error: ${message}`, { cause })
}

function clampSize(cells: number): number {
  return Math.min(0xffff, Math.max(0, Math.trunc(cells)))
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}

function isNatural(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
