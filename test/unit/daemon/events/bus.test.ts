import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEventBus, type EventBus } from '../../../../daemon/events/bus.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { eventsKept, eventTable } from '../../../../daemon/state/events.ts'

let database: Database
let bus: EventBus
beforeEach(() => {
  database = openDatabase(':memory:')
  bus = createEventBus({
    history: eventTable(database),
    describe: (id) => ({ name: `name of ${id}`, image: 'busybox' }),
  })
})
afterEach(() => {
  database.close()
})

const everything = { after: 0, since: 0, limit: 100_000 }

test('what is published is told and kept, with what is known of the container', () => {
  const heard: unknown[] = []
  bus.subscribe((event, kept) => heard.push({ event, kept }))
  bus.publish({ type: 'container', action: 'exit', id: 'a', status: 3 })
  const [kept] = bus.history.list(everything)
  expect(kept).toMatchObject({
    seq: 1,
    type: 'container',
    action: 'die',
    id: 'a',
    attributes: { name: 'name of a', image: 'busybox', exitCode: '3' },
  })
  expect(heard).toEqual([{ event: expect.objectContaining({ action: 'exit', status: 3 }), kept }])
})

test('a change and its event are there together or not at all', () => {
  const heard: string[] = []
  bus.subscribe(({ action }) => heard.push(action))
  const event = { type: 'container', action: 'start', id: 'a' } as const
  expect(() =>
    bus.record('quick', [event], () => {
      database.run("INSERT INTO operations VALUES ('x', 'k', 't', 'running', 0, NULL, NULL)")
      throw new Error('no')
    }),
  ).toThrow('no')
  expect(database.all('SELECT * FROM operations')).toEqual([])
  expect(bus.history.list(everything)).toEqual([])
  expect(heard).toEqual([])
  expect(bus.record('quick', [event], () => 'done')).toBe('done')
  expect(bus.history.list(everything)).toHaveLength(1)
  expect(heard).toEqual(['start'])
})

test('an event that only the change can name is told by its result, and described after it', () => {
  const seen: unknown[] = []
  const made = createEventBus({
    history: eventTable(database),
    describe: (id) => ({
      known: String(database.one('SELECT 1 FROM operations WHERE id = ?', id) !== undefined),
    }),
  })
  made.subscribe((_event, kept) => seen.push(kept.attributes))
  made.record(
    'quick',
    (id: string) => [{ type: 'container', action: 'create', id }],
    () => {
      database.run("INSERT INTO operations VALUES ('x', 'k', 't', 'running', 0, NULL, NULL)")
      return 'x'
    },
  )
  expect(seen).toEqual([{ known: 'true' }])
})

test('a transaction within a record becomes a part of it', () => {
  expect(() =>
    bus.record('quick', [{ type: 'container', action: 'start', id: 'a' }], () => {
      database.transaction('durable', () =>
        database.run("INSERT INTO operations VALUES ('x', 'k', 't', 'running', 0, NULL, NULL)"),
      )
      throw new Error('later')
    }),
  ).toThrow('later')
  expect(database.all('SELECT * FROM operations')).toEqual([])
})

test('who has unsubscribed hears nothing more', () => {
  const heard: string[] = []
  const unsubscribe = bus.subscribe(({ action }) => heard.push(action))
  unsubscribe()
  bus.publish({ type: 'image', action: 'pull', name: 'alpine' })
  expect(heard).toEqual([])
})

test('the history forgets the oldest and never counts backwards', () => {
  const table = eventTable(database)
  database.transaction('quick', () => {
    for (let index = 0; index < eventsKept + 1000; index++) {
      table.append({ at: index, type: 'image', action: 'pull', id: 'x', attributes: {} })
    }
  })
  const all = table.list(everything)
  expect(all).toHaveLength(eventsKept)
  expect(all.at(-1)?.seq).toBe(eventsKept + 1000)
  expect(table.list({ after: eventsKept + 998, since: 0, limit: 10 }).map(({ seq }) => seq)).toEqual([
    eventsKept + 999,
    eventsKept + 1000,
  ])
})
