/** What happened, as a history of bounded length that outlives the daemon. */
import type { Event, EventType } from '../../shared/protocol/events.ts'
import type { Database, Durability } from './database.ts'

/** Without its number; `at` is milliseconds since 1970. */
type NewEvent = Omit<Event, 'seq' | 'at'> & { at: number }

export interface EventTable {
  /** Its number in the order of all events. Within a transaction it is kept or lost with it. */
  append(event: NewEvent): number
  /** The number of the newest; 0 where there is none. */
  last(): number
  /** Oldest first: after event number `after`, from time `since` on. */
  list(range: { after: number; since: number; limit: number }): Event[]
  transaction<T>(durability: Durability, body: () => T): T
}

/** So many are kept, and a few more until it is worth while to forget some. */
export const eventsKept = 10_000
const pruneEvery = 500

interface EventRow {
  seq: number
  at: number
  type: EventType
  action: string
  id: string
  attributes: string
}

export function eventTable({ all, one, transaction }: Database): EventTable {
  return {
    transaction,
    append({ at, type, action, id, attributes }) {
      return transaction('quick', () => {
        const row = one<{ seq: number }>(
          'INSERT INTO events (at, type, action, id, attributes) VALUES (?, ?, ?, ?, ?) RETURNING seq',
          at,
          type,
          action,
          id,
          JSON.stringify(attributes),
        )
        const seq = row?.seq ?? 0
        if (seq % pruneEvery === 0) all('DELETE FROM events WHERE seq <= ?', seq - eventsKept)
        return seq
      })
    },
    last: () => one<{ seq: number | null }>('SELECT max(seq) AS seq FROM events')?.seq ?? 0,
    list: ({ after, since, limit }) =>
      all<EventRow>(
        'SELECT seq, at, type, action, id, attributes FROM events WHERE seq > ? AND at >= ? ORDER BY seq LIMIT ?',
        after,
        since,
        limit,
      ).map(readEvent),
  }
}

function readEvent(row: EventRow): Event {
  // Written by `append` above.
  const attributes = JSON.parse(row.attributes) as Record<string, string>
  return { ...row, at: new Date(row.at).toISOString(), attributes }
}
