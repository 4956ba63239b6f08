/** What happens to containers, images and the rest: kept in the history, and told to whoever listens. */
import { EventEmitter } from 'node:events'
import { isKagoError } from '../../shared/errors.ts'
import type { Event, EventType } from '../../shared/protocol/events.ts'

type Attributes = Readonly<Record<string, string>>

/** What more there is to say; names and labels of a container need not be: the history looks them up. */
interface More {
  attributes?: Attributes
}

export type KagoEvent = More &
  (
    | { type: 'container'; action: 'exit'; id: string; status: number | null }
    | {
        type: 'container'
        action:
          | 'create'
          | 'start'
          | 'start-failed'
          | 'stop'
          | 'kill'
          | 'oom'
          | 'restart'
          | 'remove'
          | 'rename'
          | 'pause'
          | 'unpause'
          | 'update'
          | 'health_status'
        id: string
      }
    | {
        type: 'image'
        action: 'pull' | 'push' | 'load' | 'import' | 'commit' | 'tag' | 'untag' | 'remove'
        name: string
      }
    | { type: 'network'; action: 'create' | 'connect' | 'disconnect' | 'remove'; id: string }
    | { type: 'volume'; action: 'create' | 'mount' | 'unmount' | 'remove'; id: string }
    | { type: 'daemon'; action: 'start'; id: string }
  )

/** An event before it has a number. `at` is milliseconds since 1970. */
export type NewEvent = Omit<Event, 'seq' | 'at'> & { at: number }

type Durability = 'durable' | 'quick'

/** Where events are kept. */
export interface EventHistory {
  /** The event's number. Within a transaction it is kept or lost with it. */
  append(event: NewEvent): number
  /** Oldest first: after event number `after`, from time `since` on. */
  list(range: { after: number; since: number; limit: number }): Event[]
  /** The number of the newest; 0 where there is none. */
  last(): number
  transaction<T>(durability: Durability, body: () => T): T
}

export type Listener = (event: KagoEvent, kept: Event) => void

export interface EventBus {
  /** Keeps the event and tells it. Where the disk is full it is told all the same. */
  publish(event: KagoEvent): void
  /**
   * Makes a change and keeps its events in one transaction, so that none is there without the other; tells them then.
   * The transactions of `change` become part of this one. Events that only the change can name are told by a function
   * of its result.
   */
  record<T>(
    durability: Durability,
    events: readonly KagoEvent[] | ((result: T) => readonly KagoEvent[]),
    change: () => T,
  ): T
  /** Calls `listener` for each event until the returned function is called. It must not throw. */
  subscribe(listener: Listener): () => void
  readonly history: Pick<EventHistory, 'list' | 'last'>
}

export interface BusOptions {
  history: EventHistory
  /** What is known of a container: its name, its image, its labels. Called before the change that is told. */
  describe?: ((containerId: string) => Attributes) | undefined
}

/** What the history calls it: as Docker does. */
const publicActions: Readonly<Partial<Record<EventType, Readonly<Record<string, string>>>>> = {
  container: { exit: 'die', remove: 'destroy' },
  image: { remove: 'delete' },
  network: { remove: 'destroy' },
  volume: { remove: 'destroy' },
}

export function createEventBus({ history, describe }: BusOptions): EventBus {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  const tell = (event: KagoEvent, row: NewEvent, seq: number) => {
    emitter.emit('event', event, { ...row, seq, at: new Date(row.at).toISOString() })
  }
  const rowOf = (event: KagoEvent): NewEvent => ({
    at: Date.now(),
    type: event.type,
    action: publicActions[event.type]?.[event.action] ?? event.action,
    id: event.type === 'image' ? event.name : event.id,
    attributes: {
      ...(event.type === 'container' && describe?.(event.id)),
      ...(event.action === 'exit' && { exitCode: String(event.status ?? '') }),
      ...event.attributes,
    },
  })

  return {
    history,
    publish(event) {
      const row = rowOf(event)
      let seq = 0
      try {
        seq = history.append(row)
      } catch (error) {
        // It happened, whether or not there is room to write it down.
        if (!isKagoError(error, 'exhausted', 'unavailable')) throw error
      }
      tell(event, row, seq)
    },
    record(durability, events, change) {
      const rowsOf = (list: readonly KagoEvent[]) => list.map((event) => ({ event, row: rowOf(event) }))
      // What goes is described before it has gone, what comes once it is there.
      const before = typeof events === 'function' ? undefined : rowsOf(events)
      const { result, kept } = history.transaction(durability, () => {
        const made = change()
        const rows = before ?? (typeof events === 'function' ? rowsOf(events(made)) : [])
        return { result: made, kept: rows.map((one) => ({ ...one, seq: history.append(one.row) })) }
      })
      for (const { event, row, seq } of kept) tell(event, row, seq)
      return result
    },
    subscribe(listener) {
      emitter.on('event', listener)
      return () => void emitter.off('event', listener)
    },
  }
}
