/** Asks the containers that have a health check how they are, as long as they run, and acts on those that are not well. */
import { availableParallelism } from 'node:os'
import { toKagoError } from '../../shared/errors.ts'
import type { Health, HealthAction, HealthCheck, HealthResult } from '../../shared/protocol/health.ts'
import type { EventBus } from '../events/bus.ts'
import type { ContainerTable } from '../state/containers.ts'
import type { Log } from '../telemetry/log.ts'
import { Slots } from '../image/slots.ts'
import { afterCheck, nextCheckIn, noHealthYet } from './health-state.ts'
import { type Container, readContainer } from './record.ts'

export interface HealthMonitor {
  /** For a container that runs; nothing happens if it has no check. */
  begin(id: string): void
  /** Its task has ended. */
  end(id: string): void
  /** Asks nobody any more, and waits for what is at work. */
  close(): Promise<void>
}

/** What it works with: how a container is asked, and what is done to one that is unhealthy. */
export interface HealthWork {
  /** The signal ends it early. */
  probe(container: Container, check: HealthCheck, signal: AbortSignal): Promise<HealthResult>
  act(id: string, action: Exclude<HealthAction, 'none'>): Promise<void>
}

interface HealthContext {
  readonly containers: ContainerTable
  readonly events: EventBus
  readonly log: Log
}

/** `context` may be made after it; it is asked for when something begins. */
export function createHealthMonitor(context: () => HealthContext, work: HealthWork): HealthMonitor {
  const watched = new Map<string, AbortController>()
  const atWork = new Set<Promise<void>>()
  // A hundred containers that were started together are not all asked at once.
  const slots = new Slots(availableParallelism())

  const track = (promise: Promise<void>) => {
    const mine = promise.finally(() => atWork.delete(mine))
    atWork.add(mine)
  }
  const fail = (id: string, what: string) => (error: unknown) => {
    context().log.warn({ container: id, reason: toKagoError(error).message }, what)
  }

  async function watch(id: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const before = read(context(), id)
      if (before === undefined) return
      const { container, check, health } = before
      const startedAt = container.startedAt ?? 0
      await sleep(nextCheckIn(health, check, startedAt, Date.now()), signal)
      const isFrozen = context().containers.find(id)?.state === 'paused'
      if (isFrozen) {
        // It cannot answer, and that is not its fault.
        await sleep(check.intervalMs, signal)
        continue
      }
      const result = await slots.use(async () =>
        signal.aborted ? undefined : await work.probe(container, check, signal),
      )
      if (result === undefined || signal.aborted) return
      const after = afterCheck(health, result, check, startedAt)
      record(context(), id, health, after)
      if (after.status === 'unhealthy' && health.status !== 'unhealthy' && check.onFailure !== 'none') {
        // What is done to it ends this watch: it must not wait for it.
        const action = check.onFailure
        track(work.act(id, action).catch(fail(id, `it is unhealthy, and could not be helped by ${action}`)))
      }
    }
  }

  return {
    begin(id) {
      watched.get(id)?.abort()
      if (read(context(), id) === undefined) return
      const controller = new AbortController()
      watched.set(id, controller)
      track(
        watch(id, controller.signal).catch((error: unknown) => {
          if (!controller.signal.aborted) fail(id, 'its health cannot be watched')(error)
        }),
      )
    },
    end(id) {
      watched.get(id)?.abort()
      watched.delete(id)
    },
    async close() {
      for (const controller of watched.values()) controller.abort()
      watched.clear()
      while (atWork.size > 0) await Promise.all(atWork)
    },
  }
}

function read(
  { containers }: Pick<HealthContext, 'containers'>,
  id: string,
): { container: Container; check: HealthCheck; health: Health } | undefined {
  const row = containers.find(id)
  if (row === undefined) return undefined
  const container = readContainer(row)
  const check = container.record.options.health
  return check && { container, check, health: readHealth(row.health) ?? noHealthYet }
}

/** A change of status is an event; both are there or neither. */
function record(
  { containers, events }: Pick<HealthContext, 'containers' | 'events'>,
  id: string,
  before: Health,
  after: Health,
): void {
  const { status } = after
  const news =
    status === before.status
      ? []
      : [{ type: 'container', action: 'health_status', id, attributes: { status } } as const]
  events.record('quick', news, () => {
    containers.updateTask(id, { health: JSON.stringify(after) }, 'quick')
  })
}

/** Rejects when the signal comes first. */
async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
  })
}

export function readHealth(text: string | null): Health | null {
  // Written by kago itself.
  return text === null ? null : (JSON.parse(text) as Health)
}
