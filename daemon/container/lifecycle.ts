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
 * - `back-off`: it ended, or a start failed, and its restart policy will start it again after a while.
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
  | 'back-off'
  | 'remove'

export const lifecycle: Readonly<Record<State, Partial<Record<LifecycleEvent, State>>>> = {
  created: { start: 'starting', remove: 'removing' },
  starting: {
    started: 'running',
    'start-failed': 'created',
    'restart-failed': 'exited',
    exit: 'exited',
    lose: 'lost',
    'back-off': 'restarting',
  },
  running: { pause: 'paused', stop: 'stopping', exit: 'exited', lose: 'lost', 'back-off': 'restarting' },
  paused: { unpause: 'running', stop: 'stopping', exit: 'exited', lose: 'lost', 'back-off': 'restarting' },
  stopping: { exit: 'exited', lose: 'lost' },
  restarting: { start: 'starting', stop: 'exited' },
  exited: { start: 'starting', remove: 'removing', 'back-off': 'restarting' },
  lost: { start: 'starting', remove: 'removing', 'back-off': 'restarting' },
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
    case 'back-off':
      return notRunning()
    default:
      return event satisfies never
  }

  function notRunning(): KagoError {
    if (state === 'restarting') return say(`container ${name} is restarting`, 'wait until it runs')
    return say(`container ${name} is not running`, `start it with: kago start ${name}`)
  }
}
