/** A few network namespaces that are ready before anybody asks, so that a start does not wait for one to be made. */
import { makeNamespace, type Namespace } from '../host/netns.ts'
import type { Log } from '../telemetry/log.ts'

export interface NamespacePool {
  /** The caller owns it from now on. */
  take(): Promise<Namespace>
  /** Makes it full, now. */
  fill(): Promise<void>
  close(): void
}

/** How long after a start the next namespace is made: making one stops the loop for half a millisecond. */
const refillAfterMs = 30

export function createNamespacePool(size: number, log: Log): NamespacePool {
  const ready: Namespace[] = []
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function fill(): Promise<void> {
    if (isClosed || ready.length >= size) return
    ready.push(await makeNamespace())
    if (isClosed) empty()
    else await fill()
  }

  function empty(): void {
    for (const namespace of ready.splice(0)) namespace.close()
  }

  function refillSoon(): void {
    if (isClosed || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      fill().catch((error: unknown) => {
        log.warn({ err: error }, 'no network namespace could be made ready')
      })
    }, refillAfterMs)
    timer.unref()
  }

  return {
    async take() {
      const namespace = ready.shift() ?? (await makeNamespace())
      refillSoon()
      return namespace
    },
    fill,
    close() {
      isClosed = true
      clearTimeout(timer)
      empty()
    },
  }
}
