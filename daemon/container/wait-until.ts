/** Waits until a container runs, or is well. */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { readHealth } from './health-monitor.ts'
import { isAlive } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'

export type ReadyCondition = 'running' | 'healthy'

/**
 * A container that was not started yet is waited for.
 * @throws wrong_state if it has ended, or is gone, before it was so; invalid_argument if nothing checks its health.
 */
export async function waitUntilReady(
  context: ContainerContext,
  text: string,
  condition: ReadyCondition,
  signal: AbortSignal,
): Promise<void> {
  const { id, name, record } = findContainer(context, text)
  if (condition === 'healthy' && record.options.health === undefined) {
    throw new KagoError('invalid_argument', `container ${name} has no health check`, {
      hint: 'give it one when it is created: --health-cmd COMMAND',
    })
  }
  const done = Promise.withResolvers<undefined>()
  const look = () => {
    const row = context.containers.find(id)
    const isReady = row !== undefined && isAsAsked(readContainer(row), condition)
    if (isReady) done.resolve(undefined)
    else if (row === undefined || !mayBecome(row.state)) {
      done.reject(
        new KagoError('wrong_state', `container ${name} ${row === undefined ? 'is gone' : 'has ended'}`, {
          hint: row === undefined ? undefined : `see what it said: kago logs ${name}`,
        }),
      )
    }
  }
  const unsubscribe = context.events.subscribe((event) => {
    if (event.type === 'container' && event.id === id) look()
  })
  const abort = () => {
    done.reject(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    look()
    await done.promise
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', abort)
  }
}

function isAsAsked({ state, health }: Container, condition: ReadyCondition): boolean {
  if (state !== 'running') return false
  return condition === 'running' || readHealth(health)?.status === 'healthy'
}

function mayBecome(state: Container['state']): boolean {
  return state === 'created' || state === 'restarting' || isAlive(state)
}
