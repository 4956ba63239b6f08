/** The layers of one image that several callers want at once are fetched and unpacked once: the callers join the work. */
import type { LayerProgress, Progress, Report } from '../../shared/protocol/progress.ts'

export interface JoinOptions {
  report: Report
  signal: AbortSignal
}

export interface LayerWork {
  /**
   * Begins `work`, or joins what runs under the same key and first hears where each of its layers is.
   * Rejects at once when `signal` aborts; the work itself is cancelled when the last caller has left, and that one waits
   * until it has ended.
   */
  join(key: string, options: JoinOptions, work: (options: JoinOptions) => Promise<void>): Promise<void>
}

interface Running {
  ended: Promise<void>
  cancel: AbortController
  listeners: Set<Report>
  /** By layer: what was last said of it. */
  latest: Map<string, LayerProgress>
}

export function createLayerWork(): LayerWork {
  const all = new Map<string, Running>()

  const begin = (key: string, work: (options: JoinOptions) => Promise<void>): Running => {
    const cancel = new AbortController()
    const listeners = new Set<Report>()
    const latest = new Map<string, LayerProgress>()
    const report = (progress: Progress) => {
      if (progress.type === 'layer') latest.set(progress.digest, progress)
      for (const listener of listeners) listener(progress)
    }
    const running = { cancel, listeners, latest, ended: work({ report, signal: cancel.signal }) }
    const forget = () => {
      if (all.get(key) === running) all.delete(key)
    }
    running.ended.then(forget, forget)
    all.set(key, running)
    return running
  }

  return {
    async join(key, { report, signal }, work) {
      signal.throwIfAborted()
      const running = all.get(key) ?? begin(key, work)
      // A listener of its own: two callers may share one report.
      const listener: Report = (progress) => {
        report(progress)
      }
      for (const progress of running.latest.values()) report(progress)
      running.listeners.add(listener)
      const aborted = Promise.withResolvers<never>()
      const onAbort = () => {
        aborted.reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        await Promise.race([running.ended, aborted.promise])
      } finally {
        signal.removeEventListener('abort', onAbort)
        running.listeners.delete(listener)
        if (running.listeners.size === 0) {
          if (all.get(key) === running) all.delete(key)
          running.cancel.abort(signal.reason)
          await running.ended.catch(() => {})
        }
      }
    },
  }
}
