import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  createHealthMonitor,
  type HealthMonitor,
  type HealthWork,
  readHealth,
} from '../../../../daemon/container/health-monitor.ts'
import { createEventBus, type EventBus } from '../../../../daemon/events/bus.ts'
import { type ContainerTable, containerTable, noTask } from '../../../../daemon/state/containers.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { eventTable } from '../../../../daemon/state/events.ts'
import { createLog } from '../../../../daemon/telemetry/log.ts'
import type { HealthCheck } from '../../../../shared/protocol/health.ts'

const check: HealthCheck = {
  command: ['ask'],
  intervalMs: 10_000,
  timeoutMs: 1000,
  startPeriodMs: 0,
  startIntervalMs: 1000,
  retries: 2,
  onFailure: 'restart',
}

let database: Database
let containers: ContainerTable
let events: EventBus
let monitor: HealthMonitor
/** What the next checks answer; when they came. */
let answer: number
let asked: number[]
let acted: string[]

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  database = openDatabase(':memory:')
  containers = containerTable(database)
  events = createEventBus({ history: eventTable(database) })
  answer = 0
  asked = []
  acted = []
  const work: HealthWork = {
    probe: async () => {
      asked.push(Date.now())
      const now = new Date().toISOString()
      return { startedAt: now, finishedAt: now, exitStatus: answer, output: 'said' }
    },
    act: async (id, action) => void acted.push(`${action} ${id}`),
  }
  monitor = createHealthMonitor(() => ({ containers, events, log: createLog('silent') }), work)
})
afterEach(async () => {
  await monitor.close()
  database.close()
  vi.useRealTimers()
})

function runs(id: string, { health }: { health?: HealthCheck } = { health: check }): void {
  containers.insert(
    {
      id,
      name: id,
      imageId: 'i',
      createdAt: 0,
      record: JSON.stringify({ options: { health } }),
      ...noTask,
      state: 'created',
    },
    'quick',
  )
  containers.updateTask(id, { state: 'running', startedAt: Date.now() }, 'quick')
  monitor.begin(id)
}

const health = (id: string) => readHealth(containers.find(id)?.health ?? null)

test('it is asked once an interval, and what it answers is kept and told', async () => {
  const told: string[] = []
  events.subscribe(({ action, attributes }) => told.push(`${action} ${attributes?.['status']}`))
  runs('a')
  await vi.advanceTimersByTimeAsync(9_999)
  expect(asked).toEqual([])
  await vi.advanceTimersByTimeAsync(20_001)
  expect(asked).toEqual([10_000, 20_000, 30_000])
  expect(health('a')).toMatchObject({ status: 'healthy', log: [{ output: 'said' }, {}, {}] })
  expect(told).toEqual(['health_status healthy'])
})

test('one without a check is left alone', async () => {
  runs('a', {})
  await vi.advanceTimersByTimeAsync(100_000)
  expect(asked.length).toBe(0)
})

test('when it becomes unhealthy it is helped, once', async () => {
  answer = 1
  runs('a')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(acted).toEqual([])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(acted).toEqual(['restart a'])
  await vi.advanceTimersByTimeAsync(30_000)
  expect(acted).toEqual(['restart a'])
  expect(health('a')).toMatchObject({ status: 'unhealthy', failingStreak: 5 })
})

test('the frozen are not asked', async () => {
  runs('a')
  containers.updateTask('a', { state: 'paused' }, 'quick')
  await vi.advanceTimersByTimeAsync(25_000)
  expect(asked).toEqual([])
  containers.updateTask('a', { state: 'running' }, 'quick')
  await vi.advanceTimersByTimeAsync(20_000)
  expect(asked.length).toBeGreaterThan(0)
})

test('who has ended is asked no more, and begins anew with its next run', async () => {
  runs('a')
  await vi.advanceTimersByTimeAsync(10_000)
  monitor.end('a')
  await vi.advanceTimersByTimeAsync(50_000)
  expect(asked).toEqual([10_000])
  monitor.begin('a')
  await vi.advanceTimersByTimeAsync(0)
  expect(asked).toEqual([10_000, 60_000])
})

test('after a restart of the daemon it is asked when it is due, not a whole interval later', async () => {
  runs('a')
  await vi.advanceTimersByTimeAsync(10_000)
  await monitor.close()
  await vi.advanceTimersByTimeAsync(4_000)
  monitor.begin('a')
  await vi.advanceTimersByTimeAsync(6_000)
  expect(asked).toEqual([10_000, 20_000])
})
