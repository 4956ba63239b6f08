import { eventTable } from '../../../../daemon/state/events.ts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createEventBus, type EventBus } from '../../../../daemon/events/bus.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { type EventQuery, followEvents } from '../../../../daemon/system/events.ts'
import type { Event } from '../../../../shared/protocol/events.ts'

let database: Database
let events: EventBus
let stop: AbortController
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  database = openDatabase(':memory:')
  events = createEventBus({
    history: eventTable(database),
    describe: (id) => ({ name: `c-${id}`, image: 'alpine:3', tier: 'web' }),
  })
  stop = new AbortController()
})
afterEach(() => {
  stop.abort()
  database.close()
  vi.useRealTimers()
})

const start = (id: string) => events.publish({ type: 'container', action: 'start', id })
const at = (ms: number) => new Date(ms).toISOString()

async function all(query: EventQuery): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of followEvents({ events }, query, stop.signal)) ids.push(id)
  return ids
}

test('a past end gives the history between two times and ends', async () => {
  for (const id of ['a', 'b', 'c', 'd']) {
    start(id)
    vi.setSystemTime(Date.now() + 1000)
  }
  expect(await all({ since: at(0), until: at(Date.now()) })).toEqual(['a', 'b', 'c', 'd'])
  expect(await all({ since: at(1_001_000), until: at(1_002_000) })).toEqual(['b', 'c'])
  expect(await all({ after: 3, until: at(Date.now()) })).toEqual(['d'])
})

test('without a beginning only news are told, in order, to the end', async () => {
  start('old')
  const told = all({ until: at(1_005_000) })
  await vi.advanceTimersByTimeAsync(1000)
  start('new')
  events.publish({ type: 'image', action: 'pull', name: 'alpine' })
  await vi.advanceTimersByTimeAsync(5000)
  expect(await told).toEqual(['new', 'alpine'])
})

test('between history and news there is no gap, and nothing twice', async () => {
  for (let index = 0; index < 1200; index++) start(String(index))
  const stream = followEvents({ events }, { since: at(0) }, stop.signal)
  const told: string[] = []
  for (let index = 0; index < 1500; index++) {
    // News come while the history is still being read.
    if (index < 300) start(String(1200 + index))
    const next = await stream.next()
    if (next.done === true) break
    told.push(next.value.id)
  }
  expect(told).toEqual(Array.from({ length: 1500 }, (_, index) => String(index)))
  await stream.return()
})

test('the signal ends it', async () => {
  const told = all({})
  stop.abort()
  expect(await told).toEqual([])
})

test.for<[string[], string[]]>([
  [['type=image'], ['alpine']],
  [['event=die'], ['a']],
  [['container=c-a'], ['a', 'a']],
  [
    ['container=a', 'container=b'],
    ['a', 'a', 'b', 'b'],
  ],
  [['container=a', 'event=start'], ['a']],
  [['image=alpine'], ['a', 'a', 'b', 'alpine', 'b']],
  [['label=tier'], ['a', 'a', 'b', 'b']],
  [['label=tier=db'], []],
  [['event=health_status'], ['b']],
  [['event=health_status: healthy'], ['b']],
  [['event=health_status: unhealthy'], []],
])('the filters %j let through what they say', async ([filter, expected]) => {
  start('a')
  events.publish({ type: 'container', action: 'exit', id: 'a', status: 0 })
  start('b')
  events.publish({ type: 'image', action: 'pull', name: 'alpine' })
  events.publish({ type: 'container', action: 'health_status', id: 'b', attributes: { status: 'healthy' } })
  expect(await all({ since: at(0), until: at(Date.now()), filter })).toEqual(expected)
})

test('a filter that does not exist is refused, with those that do', async () => {
  const first = followEvents({ events }, { filter: ['colour=red'] }, stop.signal).next()
  await expect(first).rejects.toMatchObject({
    code: 'invalid_argument',
    hint: expect.stringContaining('label'),
  })
})

test('a slow reader loses nothing', async () => {
  const stream = followEvents({ events }, {}, stop.signal)
  const first = stream.next()
  for (let index = 0; index < 5000; index++) start(String(index))
  const told: Event[] = []
  for (let next = await first; told.length < 5000 && next.done !== true; next = await stream.next()) {
    told.push(next.value)
    if (told.length === 5000) break
  }
  expect(told.map(({ id }) => Number(id))).toEqual(Array.from({ length: 5000 }, (_, index) => index))
  await stream.return()
})
