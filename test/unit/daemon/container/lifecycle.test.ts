import { expect, test } from 'vitest'
import { isAlive, lifecycle, type LifecycleEvent, nextState } from '../../../../daemon/container/lifecycle.ts'
import type { State } from '../../../../shared/protocol/containers.ts'

const states = Object.keys(lifecycle) as State[]

test('every state can be left, and every state but the first is reached by some event', () => {
  const reached = new Set(states.flatMap((state) => Object.values(lifecycle[state])))
  for (const state of states) {
    expect(Object.keys(lifecycle[state]), state).not.toEqual([])
    expect(reached.has(state), state).toBe(true)
  }
})

test('whatever has a process can end, known or not', () => {
  for (const state of states.filter(isAlive)) {
    expect(lifecycle[state].exit, state).toBe('exited')
    expect(lifecycle[state].lose, state).toBe('lost')
  }
})

test('only what has no process can be removed or started', () => {
  for (const state of states.filter(isAlive)) {
    expect(lifecycle[state].remove, state).toBeUndefined()
    expect(lifecycle[state].start, state).toBeUndefined()
  }
})

test.for<[State, LifecycleEvent, string]>([
  ['exited', 'pause', 'container web is not running'],
  ['paused', 'pause', 'container web is paused already'],
  ['running', 'unpause', 'container web is not paused'],
  ['running', 'remove', 'container web is running'],
  ['running', 'start', 'container web is running'],
  ['created', 'stop', 'container web is not running'],
])('%s refuses %s and says why', ([state, event, message]) => {
  expect(() => nextState('web', state, event)).toThrow(message)
})
