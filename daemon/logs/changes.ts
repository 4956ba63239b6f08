/** Waits until something in a directory has changed. */
import { type FSWatcher, watch } from 'node:fs'

/** Looked at even if the kernel reports nothing: it does not for every filesystem. */
const longestWaitMs = 1000
/** When the kernel cannot watch at all: no directory yet, or no inotify watches left. */
const pollMs = 100

export class DirectoryChanges implements Disposable {
  readonly #directory: string
  #watcher: FSWatcher | undefined
  #hasChanged = false
  #wake: (() => void) | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.#open()
  }

  /** Resolves at a change since the last call, after a while, or when one of the signals fires. */
  async next(signals: readonly (AbortSignal | undefined)[], atMostMs = longestWaitMs): Promise<void> {
    if (this.#watcher === undefined) this.#open()
    if (!this.#hasChanged && !signals.some((signal) => signal?.aborted)) await this.#sleep(signals, atMostMs)
    this.#hasChanged = false
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  async #sleep(signals: readonly (AbortSignal | undefined)[], atMostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, Math.min(atMostMs, this.#watcher ? longestWaitMs : pollMs))
    const ended = () => resolve()
    for (const signal of signals) signal?.addEventListener('abort', ended, { once: true })
    try {
      await promise
    } finally {
      this.#wake = undefined
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', ended)
    }
  }

  #open(): void {
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, () => {
        this.#hasChanged = true
        this.#wake?.()
      })
      this.#watcher.on('error', () => this[Symbol.dispose]())
    } catch {
      // then it is polled, which needs nothing
      this.#watcher = undefined
    }
  }
}
