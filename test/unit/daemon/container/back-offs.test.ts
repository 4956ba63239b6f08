import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createBackOffs } from '../../../../daemon/container/back-offs.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Back-offs that write down whom they start. */
function recorded() {
  const started: string[] = []
  const backOffs = createBackOffs()
  return { backOffs, started, start: async (id: string) => void started.push(id) }
}

test('a container is started when its wait is over, not before', async () => {
  const { backOffs, started, start } = recorded()
  backOffs.open(start)
  backOffs.schedule('a', 400)
  await vi.advanceTimersByTimeAsync(399)
  expect(started).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(started).toEqual(['a'])
})

test('who is cancelled is not started; the last wait that was set counts', async () => {
  const { backOffs, started, start } = recorded()
  backOffs.open(start)
  backOffs.schedule('a', 100)
  backOffs.schedule('b', 100)
  backOffs.cancel('a')
  backOffs.schedule('b', 5000)
  await vi.advanceTimersByTimeAsync(4999)
  expect(started).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(started).toEqual(['b'])
})

test('nobody is started before it is opened, and who was cancelled until then not at all', async () => {
  const { backOffs, started, start } = recorded()
  backOffs.schedule('a', 0)
  backOffs.schedule('b', 0)
  backOffs.cancel('b')
  await vi.advanceTimersByTimeAsync(1000)
  expect(started).toEqual([])
  backOffs.open(start)
  await vi.advanceTimersByTimeAsync(0)
  expect(started).toEqual(['a'])
})

test('closing ends all waits and waits for a start that has begun', async () => {
  const backOffs = createBackOffs()
  const starting = Promise.withResolvers<void>()
  const started: string[] = []
  backOffs.open((id) => {
    started.push(id)
    return starting.promise
  })
  backOffs.schedule('a', 0)
  backOffs.schedule('b', 100)
  await vi.advanceTimersByTimeAsync(0)
  let isClosed = false
  const closed = backOffs.close().then(() => {
    isClosed = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect({ isClosed, started }).toEqual({ isClosed: false, started: ['a'] })
  starting.resolve()
  await closed
  backOffs.schedule('c', 0)
  await vi.advanceTimersByTimeAsync(1000)
  expect(started).toEqual(['a'])
})
