/** A user at a container's streams: what is typed goes in, what is written comes out, until the end or until leaving. */
import { KagoError } from '../../shared/errors.ts'
import type { Progress } from '../../shared/protocol/progress.ts'
import {
  encodeClose,
  encodeResize,
  encodeSignal,
  type Frame,
  FrameParser,
  frameTypes,
  parseError,
  parseExit,
  parseJsonObject,
  type TerminalSize,
} from '../../shared/protocol/frames.ts'
import { flush, printError, write } from './output.ts'
import { endingSignals, exitCodeOfSignal, onSignals, proxiedSignals } from './signals.ts'
import { sendInput } from './input.ts'
import { enterRawMode, onResize, terminalSize } from './tty.ts'

export interface SessionOptions {
  /** Whether what is typed is sent. */
  readonly stdin: boolean
  /** Whether the container has a terminal, so that kago's own becomes raw. */
  readonly terminal: boolean
  readonly detachKeys: Uint8Array
  /** The size that the request for the connection said; another one is sent when the session begins. */
  readonly size?: TerminalSize | undefined
  /** Whether signals to kago go on to the container. */
  readonly proxySignals: boolean
  /** Whether the container is there already; otherwise input begins with its `created` event. */
  readonly isStarted: boolean
  /** What to type to end the container that the user cannot interrupt: `kago kill web`. */
  killHint(): string
  readonly hides?: { readonly stdout?: boolean; readonly stderr?: boolean }
  onEvent?(progress: Progress): void | Promise<void>
}

export type SessionEnd =
  | { readonly type: 'exit'; readonly status: number }
  | { readonly type: 'detached' }
  | { readonly type: 'signal'; readonly status: number }

/** The connection whose other end is the container: what the session needs of it. */
export interface FrameConnection {
  readonly chunks: AsyncIterable<Buffer>
  /** Answers false when the peer should be given time: wait for `onDrain`. */
  send(frame: Uint8Array): boolean
  onDrain(callback: () => void): void
  close(): void
}

/** Serves the user until the exit frame was read and all output was written. Closes the connection. */
export async function runSession(connection: FrameConnection, options: SessionOptions): Promise<SessionEnd> {
  const session = new Session(connection, options)
  try {
    return await Promise.race([session.serveOutput(), session.left])
  } finally {
    session.close()
  }
}

class Session {
  readonly #connection: FrameConnection
  readonly #options: SessionOptions
  readonly #left = Promise.withResolvers<SessionEnd>()
  readonly #undo: (() => void)[] = []
  #isJoined = false
  #interrupts = 0

  constructor(connection: FrameConnection, options: SessionOptions) {
    this.#connection = connection
    this.#options = options
    this.#catchSignals()
    if (options.isStarted) this.#join()
  }

  /** Settles when the user leaves before the end. */
  get left(): Promise<SessionEnd> {
    return this.#left.promise
  }

  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo()
    this.#connection.close()
  }

  async serveOutput(): Promise<SessionEnd> {
    const parser = new FrameParser({ pieces: true })
    for await (const chunk of this.#connection.chunks) {
      for (const frame of parser.push(chunk)) {
        const end = await this.#receive(frame)
        if (end === undefined) continue
        await flush()
        return end
      }
    }
    throw new KagoError('unavailable', 'the connection to kagod was lost; the container may still run', {
      hint: 'look with: kago ps --all; join it again with: kago attach CONTAINER',
    })
  }

  async #receive({ type, payload }: Frame): Promise<SessionEnd | undefined> {
    const { hides, onEvent } = this.#options
    switch (type) {
      case frameTypes.stdout:
        this.#join()
        if (hides?.stdout !== true) await write('stdout', payload)
        return undefined
      case frameTypes.stderr:
        this.#join()
        if (hides?.stderr !== true) await write('stderr', payload)
        return undefined
      case frameTypes.exit:
        return { type: 'exit', status: parseExit(payload).status }
      case frameTypes.error:
        throw parseError(payload)
      case frameTypes.event: {
        // An event is news for the eye; the contract says what it looks like.
        const progress = parseJsonObject(payload, 'event') as unknown as Progress
        await onEvent?.(progress)
        if (progress.type === 'created') this.#join()
        return undefined
      }
      case frameTypes.started:
        this.#join()
        return undefined
      default:
        throw new KagoError('unavailable', `kagod sent a frame of type ${type} that only a client may send`)
    }
  }

  /** From here on the container has what the user types. Before, ctrl-c still ends kago. */
  #join(): void {
    if (this.#isJoined) return
    this.#isJoined = true
    const { stdin, terminal, detachKeys } = this.#options
    if (terminal) this.#followSize()
    if (!stdin) return
    if (terminal) this.#undo.push(enterRawMode())
    const input = sendInput(process.stdin, {
      send: (frame) => this.#connection.send(frame),
      onDrain: (callback) => {
        this.#connection.onDrain(callback)
      },
      detachKeys: terminal ? detachKeys : new Uint8Array(0),
      onDetach: () => {
        this.#left.resolve({ type: 'detached' })
      },
      onEnd: () => {
        this.#connection.send(encodeClose())
      },
    })
    this.#undo.push(input)
  }

  #followSize(): void {
    const send = (size: TerminalSize) => {
      this.#connection.send(encodeResize(size))
    }
    const known = this.#options.size
    const size = terminalSize()
    if (size !== undefined && (size.columns !== known?.columns || size.rows !== known.rows)) send(size)
    this.#undo.push(onResize(send))
  }

  #catchSignals(): void {
    const isRaw = this.#options.terminal && this.#options.stdin
    const proxies = this.#options.proxySignals && !isRaw
    this.#undo.push(
      onSignals(proxies ? proxiedSignals : endingSignals, (name) => {
        if (!proxies || !this.#isJoined) this.#leaveBySignal(name)
        else if (name === 'SIGINT' && ++this.#interrupts > 2) this.#leaveBySignal(name)
        else this.#pass(name)
      }),
    )
  }

  #pass(name: NodeJS.Signals): void {
    this.#connection.send(encodeSignal(name))
    if (name !== 'SIGINT' || this.#interrupts !== 2) return
    const advice = `kago: the container was told twice; once more leaves it running, or: ${this.#options.killHint()}\n`
    void printError(advice).catch(() => {})
  }

  #leaveBySignal(name: NodeJS.Signals): void {
    if (name === 'SIGCONT' || name === 'SIGTSTP' || name === 'SIGTTIN' || name === 'SIGTTOU') return
    this.#left.resolve({ type: 'signal', status: exitCodeOfSignal(name) })
  }
}
