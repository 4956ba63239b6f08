/** The daemon's side of a running shim: who started, how it ended, signals, terminal size, and attached streams. */
import { readFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { KagoError, toKagoError } from '../../shared/errors.ts'
import type { ContainerExit, ContainerStart, Frame } from '../../shared/protocol/frames.ts'
import {
  encodeAttach,
  encodeResize,
  encodeSignal,
  FrameParser,
  frameTypes,
  parseError,
  parseExit,
  parseStarted,
} from '../../shared/protocol/frames.ts'
import { connectSocket } from './connect.ts'

const signalNames = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN ' +
    'TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS UNUSED RTMIN RTMAX'
  ).split(' '),
)

/** What the shim says and writes of the end. */
export type ShimExit = ContainerExit

export interface ShimConnectionOptions {
  /** Called when the connection ends before the container started; what it gives is added to the error. */
  explainDeath?: () => Promise<string>
}

/**
 * A connection that is told of the container's start and exit.
 * `started` and `exited` settle once. If the shim goes without a word both reject with `unavailable`; whether the
 * container's exit is known is then for `readExitFile` to say.
 */
export class ShimConnection {
  readonly started: Promise<ContainerStart>
  readonly exited: Promise<ContainerExit>
  readonly #socket: Duplex
  readonly #parser = new FrameParser()
  readonly #options: ShimConnectionOptions
  readonly #start = Promise.withResolvers<ContainerStart>()
  readonly #exit = Promise.withResolvers<ContainerExit>()
  #isOver = false

  constructor(socket: Duplex, options: ShimConnectionOptions = {}) {
    this.#socket = socket
    this.#options = options
    this.started = this.#start.promise
    this.exited = this.#exit.promise
    // whoever waits for one of the two hears of it; the other must not be an unhandled rejection
    this.started.catch(() => undefined)
    this.exited.catch(() => undefined)
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    // a reset says no more than the end that follows it
    socket.on('error', () => socket.destroy())
    socket.on('close', () => void this.#end())
  }

  /** Sends a signal to the container's process: a name with or without SIG, RTMIN+n, or a number. */
  async signal(name: string): Promise<void> {
    const bare = name.replace(/^SIG/, '')
    if (!isSignal(bare)) throw new KagoError('invalid_argument', `no such signal: ${name}`)
    await this.#write(encodeSignal(bare))
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#write(encodeResize({ columns, rows }))
  }

  /** Lets go of the connection; the container goes on. */
  close(): void {
    this.#socket.destroy()
  }

  /** To a container that has ended nothing needs to be said. */
  async #write(frame: Uint8Array): Promise<void> {
    if (this.#isOver || !this.#socket.writable) return
    await new Promise<void>((resolve) => this.#socket.write(frame, () => resolve()))
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const frame of this.#parser.push(chunk)) this.#take(frame)
    } catch (error) {
      this.#fail(toKagoError(error))
      this.#socket.destroy()
    }
  }

  #take(frame: Frame): void {
    if (frame.type === frameTypes.started) this.#start.resolve(parseStarted(frame.payload))
    else if (frame.type === frameTypes.exit) this.#exit.resolve(parseExit(frame.payload))
    else if (frame.type === frameTypes.error) this.#fail(parseError(frame.payload))
    else
      throw new KagoError('internal', `the shim sent a frame of type ${frame.type} to the events connection`)
  }

  #fail(error: KagoError): void {
    this.#start.reject(error)
    this.#exit.reject(error)
  }

  async #end(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    const words = (await this.#options.explainDeath?.())?.trim()
    const details = words ? { stderr: words } : undefined
    this.#fail(new KagoError('unavailable', 'the connection to the shim ended', { details }))
  }
}

/** For a container that is already running: after a restart of the daemon. */
export async function connectShim(socketPath: string, signal?: AbortSignal): Promise<ShimConnection> {
  const socket = await connectSocket(socketPath, signal)
  socket.write(encodeAttach({ output: false, stdin: false }))
  return new ShimConnection(socket)
}

/** A stream of kago-frames from now on: output and the exit come out, stdin, resize, signal and close go in. */
export async function attachShim(
  socketPath: string,
  wants: { output: boolean; stdin: boolean },
  signal?: AbortSignal,
): Promise<Duplex> {
  if (!wants.output && !wants.stdin)
    throw new KagoError('invalid_argument', 'attach to output, stdin or both of a container')
  const socket = await connectSocket(socketPath, signal)
  socket.write(encodeAttach(wants))
  return socket
}

/** What the shim wrote when the container ended; undefined while it has not. */
export async function readExitFile(path: string): Promise<(ContainerExit & { pid: number }) | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined
    throw new KagoError('internal', `cannot read the exit file ${path}`, { cause })
  }
  try {
    const { pid }: { pid?: unknown } = JSON.parse(Buffer.from(bytes).toString())
    if (typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0) return { ...parseExit(bytes), pid }
  } catch (cause) {
    throw new KagoError('corrupt', `the exit file ${path} holds no exit status`, { cause })
  }
  throw new KagoError('corrupt', `the exit file ${path} holds no pid`)
}

function isSignal(name: string): boolean {
  const number = /^(?:RTM(?:IN\+|AX-))?(\d{1,2})$/.exec(name)?.[1]
  if (number === undefined) return signalNames.has(name)
  return name.startsWith('RT') ? Number(number) <= 30 : Number(number) >= 1 && Number(number) <= 64
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
