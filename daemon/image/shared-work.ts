/** Work that several callers want at once is done once: they join it, and it is cancelled when the last of them has left. */

export interface SharedWork<T> {
  /** Begins `work` or joins what runs under the same key. Rejects when `signal` aborts, at once. */
  join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

interface Running<T> {
  result: Promise<T>
  cancel: AbortController
  waiters: number
}

export function createSharedWork<T>(): SharedWork<T> {
  const all = new Map<string, Running<T>>()

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> => {
    const cancel = new AbortController()
    const running: Running<T> = {
      cancel,
      waiters: 0,
      result: work(cancel.signal).finally(() => {
        if (all.get(key) === running) all.delete(key)
      }),
    }
    all.set(key, running)
    return running
  }

  return {
    async join(key, signal, work) {
      signal.throwIfAborted()
      const running = all.get(key) ?? begin(key, work)
      running.waiters++
      const aborted = Promise.withResolvers<never>()
      const onAbort = () => {
        aborted.reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await Promise.race([running.result, aborted.promise])
      } finally {
        signal.removeEventListener('abort', onAbort)
        running.waiters--
        if (running.waiters === 0) {
          if (all.get(key) === running) all.delete(key)
          running.cancel.abort()
          // The last to leave sees to it that the work has really ended: its scratch is gone, its child is dead.
          await running.result.catch(() => {})
        }
      }
    },
  }
}
