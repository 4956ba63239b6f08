/**
 * The states of a container and what leads from one to another: the one table that everything asks.
 * The picture in the documents is drawn from it.
 */
import { KagoError } from '../../shared/errors.ts'
import type { State } from '../../shared/protocol/containers.ts'

/**
 * - `start`: someone wants it to run. `started`: its process is up. `start-failed`, `restart-failed`: it never came
 *   up; the second when it had run before.
 * - `stop`: someone wants it to end. `exit`: it ended and its status is known. `lose`: it ended, nobody knows how.
 * - `remove`: its record and its files go.
 */
export type LifecycleEvent =
  | 'start'
  | 'started'
  | 'start-failed'
  | 'restart-failed'
  | 'pause'
  | 'unpause'
  | 'stop'
  | 'exit'
  | 'lose'
  | 'remove'

export const lifecycle: Readonly<Record<State, Partial<Record<LifecycleEvent, State>>>> = {
  created: { start: 'starting', remove: 'removing' },
  starting: {
    started: 'running',
    'start-failed': 'created',
    'restart-failed': 'exited',
    exit: 'exited',
    lose: 'lost',
  },
  running: { pause: 'paused', stop: 'stopping', exit: 'exited', lose: 'lost' },
  paused: { unpause: 'running', stop: 'stopping', exit: 'exited', lose: 'lost' },
  stopping: { exit: 'exited', lose: 'lost' },
  exited: { start: 'starting', remove: 'removing' },
  lost: { start: 'starting', remove: 'removing' },
  removing: { remove: 'removing' },
}

/** Whether a process of it may be there. */
export function isAlive(state: State): boolean {
  return state === 'starting' || state === 'running' || state === 'paused' || state === 'stopping'
}

/** @throws wrong_state, naming the container and what can be done instead. */
export function nextState(name: string, state: State, event: LifecycleEvent): State {
  const next = lifecycle[state][event]
  if (next !== undefined) return next
  throw wrongState(name, state, event)
}

function wrongState(name: string, state: State, event: LifecycleEvent): KagoError {
  const say = (message: string, hint?: string) =>
    new KagoError('wrong_state', message, { hint, details: { state } })
  switch (event) {
    case 'pause':
      return state === 'paused' ? say(`container ${name} is paused already`) : notRunning()
    case 'unpause':
      return say(`container ${name} is not paused`)
    case 'remove':
      return say(
        `container ${name} is ${state}`,
        `stop it first: kago stop ${name}, or do both: kago rm --force ${name}`,
      )
    case 'start':
      return say(`container ${name} is ${state}`)
    case 'started':
    case 'start-failed':
    case 'restart-failed':
    case 'stop':
    case 'exit':
    case 'lose':
      return notRunning()
    default:
      return event satisfies never
  }

  function notRunning(): KagoError {
    return say(`container ${name} is not running`, `start it with: kago start ${name}`)
  }
}
