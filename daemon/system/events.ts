/** Events as a stream: what the history has, then what happens, with no gap and nothing twice. */
import { KagoError } from '../../shared/errors.ts'
import type { Event } from '../../shared/protocol/events.ts'
import type { EventBus } from '../events/bus.ts'

export interface EventQuery {
  since?: string | undefined
  until?: string | undefined
  after?: number | undefined
  filter?: readonly string[] | undefined
}

/** How many are read from the history at once. */
const pageSize = 500

/**
 * Everything is read from the history, which knows the order of all events; news only say that there is more. So a
 * slow reader costs nothing. Ends at `until`, or with the signal.
 * @throws invalid_argument for a filter or a time that is none.
 */
export async function* followEvents(
  { events }: { events: EventBus },
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const matches = compileFilters(query.filter ?? [])
  const until = query.until === undefined ? Number.POSITIVE_INFINITY : readTime(query.until)
  const since = query.since === undefined ? 0 : readTime(query.since)
  const isHistoric = query.since !== undefined || query.after !== undefined
  let last = query.after ?? (isHistoric ? 0 : events.history.last())
  const news = watchNews(events, until - Date.now(), signal)
  try {
    for (;;) {
      const isLastLook = news.isOver()
      for (let isMore = true; isMore; ) {
        const page = events.history.list({ after: last, since, limit: pageSize })
        isMore = page.length === pageSize
        for (const event of page) {
          last = event.seq
          if (Date.parse(event.at) <= until && matches(event)) yield event
        }
      }
      if (isLastLook) return
      await news.next()
    }
  } finally {
    news.stop()
  }
}

interface News {
  /** Resolves when something has happened since it was last called, or it is over. */
  next(): Promise<void>
  isOver(): boolean
  stop(): void
}

/** Listens from now on; for so long, or until the signal. */
function watchNews(bus: EventBus, forMs: number, signal: AbortSignal): News {
  let isOver = signal.aborted || forMs <= 0
  let changed = Promise.withResolvers<void>()
  const wake = () => {
    changed.resolve()
  }
  const end = () => {
    isOver = true
    wake()
  }
  const unsubscribe = bus.subscribe(wake)
  // Longer than a timer can wait is for ever.
  const timer = !isOver && forMs < 2 ** 31 ? setTimeout(end, forMs) : undefined
  signal.addEventListener('abort', end, { once: true })
  if (isOver) wake()
  return {
    async next() {
      await changed.promise
      changed = Promise.withResolvers()
      if (isOver) wake()
    },
    isOver: () => isOver,
    stop() {
      unsubscribe()
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    },
  }
}

type Filter = (event: Event, value: string) => boolean

const named =
  (type: Event['type']): Filter =>
  ({ type: own, id, attributes }, value) =>
    own === type
      ? id === value || attributes['name'] === value || (value.length >= 3 && id.startsWith(value))
      : attributes[type] === value

const filterTable: Readonly<Record<string, Filter>> = {
  type: (event, value) => event.type === value,
  // `health_status: healthy` is one, and `health_status` all of its kind.
  event: ({ action, attributes }, value) =>
    action === value || (action === 'health_status' && value === `health_status: ${attributes['status']}`),
  container: named('container'),
  image: ({ type, id, attributes }, value) => {
    const image = type === 'image' ? id : attributes['image']
    return image === value || image === `${value}:latest` || image?.split(/[:@]/, 1)[0] === value
  },
  network: named('network'),
  volume: named('volume'),
  daemon: named('daemon'),
  label: ({ attributes }, value) => {
    const at = value.indexOf('=')
    return at < 0 ? Object.hasOwn(attributes, value) : attributes[value.slice(0, at)] === value.slice(at + 1)
  },
}

/** Several of one key are alternatives, different keys must all hold. @throws invalid_argument */
function compileFilters(texts: readonly string[]): (event: Event) => boolean {
  const filters = new Map<Filter, string[]>()
  for (const text of texts) {
    const at = text.indexOf('=')
    const key = text.slice(0, Math.max(0, at))
    const filter = Object.hasOwn(filterTable, key) ? filterTable[key] : undefined
    if (filter === undefined) {
      throw new KagoError('invalid_argument', `no such filter: ${text}`, {
        hint: `a filter is KEY=VALUE with one of ${Object.keys(filterTable).join(', ')}`,
      })
    }
    filters.set(filter, [...(filters.get(filter) ?? []), text.slice(at + 1)])
  }
  return (event) => [...filters].every(([filter, values]) => values.some((value) => filter(event, value)))
}

function readTime(text: string): number {
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new KagoError('invalid_argument', `not a time: ${JSON.stringify(text)}`, {
    hint: 'write it as RFC 3339: 2026-01-31T12:00:00Z',
  })
}
