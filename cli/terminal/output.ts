/** Writes to kago's own stdout and stderr: never faster than they are read, and ended quietly when nobody reads. */
import { KagoError } from '../../shared/errors.ts'

export type OutputName = 'stdout' | 'stderr'

/** Thrown when the reader of an output has gone: kago ends without a word, as by SIGPIPE. */
export const readerGone = new KagoError('cancelled', 'nobody reads the output any more')

/** Where output goes. A stream is opened at its first byte: a silent command never pays for one. */
class Output {
  readonly #open: () => NodeJS.WritableStream & { writableLength: number }
  #stream: ReturnType<Output['open']> | undefined
  #isGone = false
  #waiting: (() => void)[] = []

  constructor(open: () => NodeJS.WritableStream & { writableLength: number }) {
    this.#open = open
  }

  open(): NodeJS.WritableStream & { writableLength: number } {
    if (this.#stream !== undefined) return this.#stream
    const stream = this.#open()
    const wake = () => {
      for (const resolve of this.#waiting.splice(0)) resolve()
    }
    stream.on('drain', wake)
    stream.on('error', () => {
      this.#isGone = true
      wake()
    })
    this.#stream = stream
    return stream
  }

  /** Resolves when more may come. @throws readerGone */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#isGone) throw readerGone
    if (this.open().write(bytes)) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#isGone) throw readerGone
  }

  /** Resolves when everything has left the process. @throws readerGone */
  async flush(): Promise<void> {
    const stream = this.#stream
    if (stream !== undefined && stream.writableLength > 0 && !this.#isGone) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        stream.write('', () => {
          resolve()
        })
      })
    }
    if (this.#isGone) throw readerGone
  }
}

const outputs: Readonly<Record<OutputName, Output>> = {
  stdout: new Output(() => process.stdout),
  stderr: new Output(() => process.stderr),
}

/** Hands bytes over; resolves when more may come. @throws readerGone */
export async function write(name: OutputName, bytes: Uint8Array | string): Promise<void> {
  await outputs[name].write(bytes)
}

/** Resolves when everything that was written has left the process. @throws readerGone */
export async function flush(): Promise<void> {
  await Promise.all([outputs.stdout.flush(), outputs.stderr.flush()])
}

/** Text of kago's own to stdout. */
export async function print(text: string): Promise<void> {
  await write('stdout', text)
}

/** Text of kago's own to stderr. */
export async function printError(text: string): Promise<void> {
  await write('stderr', text)
}
