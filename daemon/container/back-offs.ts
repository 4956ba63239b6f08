/** Who waits for the next start: one timer per container. The record says the same, so that a restart forgets nobody. */

export interface BackOffs {
  /** Has it started in so many milliseconds; what was set for it before no longer holds. */
  schedule(id: string, waitMs: number): void
  /** It is not started any more, unless its start has begun already. */
  cancel(id: string): void
  /** Begins to start those that wait; until then they are only kept. `start` must not throw. */
  open(start: (id: string) => Promise<void>): void
  /** Starts nobody any more and waits for the starts that have begun. */
  close(): Promise<void>
}

export function createBackOffs(): BackOffs {
  const timers = new Map<string, NodeJS.Timeout>()
  const early = new Map<string, number>()
  const starting = new Set<Promise<void>>()
  let start: ((id: string) => Promise<void>) | undefined
  let isClosed = false

  const cancel = (id: string) => {
    clearTimeout(timers.get(id))
    timers.delete(id)
    early.delete(id)
  }
  const schedule = (id: string, waitMs: number) => {
    cancel(id)
    if (isClosed) return
    if (start === undefined) return void early.set(id, waitMs)
    const go = start
    timers.set(
      id,
      setTimeout(() => {
        timers.delete(id)
        const work = go(id).finally(() => starting.delete(work))
        starting.add(work)
      }, waitMs),
    )
  }
  return {
    schedule,
    cancel,
    open(go) {
      start = go
      for (const [id, waitMs] of early) schedule(id, waitMs)
    },
    async close() {
      isClosed = true
      for (const id of timers.keys()) cancel(id)
      while (starting.size > 0) await Promise.all(starting)
    },
  }
}
