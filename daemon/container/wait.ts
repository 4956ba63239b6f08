/** Waits for a container's end, or for what comes before it. */
import type { KagoEvent } from '../events/bus.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'
import { type ReadyCondition, waitUntilReady } from './wait-until.ts'

export type WaitCondition = 'not-running' | 'next-exit' | 'removed' | ReadyCondition

/** The exit status, or null where nobody knows it, or where it was not waited for. */
export async function waitForContainer(
  context: ContainerContext,
  text: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<number | null> {
  if (condition === 'running' || condition === 'healthy') {
    await waitUntilReady(context, text, condition, signal)
    return null
  }
  const container = findContainer(context, text)
  const { id } = container
  if (condition === 'not-running' && !isAlive(container.state) && container.state !== 'restarting')
    return container.exitStatus

  const done = Promise.withResolvers<number | null>()
  let status: number | null = container.exitStatus
  const unsubscribe = context.events.subscribe((event) => {
    if (event.type !== 'container' || event.id !== id) return
    if (event.action === 'exit') status = event.status
    if (event.action === 'start-failed') status = context.containers.find(id)?.exitStatus ?? null
    if (event.action === 'start-failed' && condition === 'not-running') done.resolve(status)
    if (event.action === (condition === 'removed' ? 'remove' : 'exit')) done.resolve(status)
    // A container that goes, or is stopped while it waits for its next start, will have no other exit.
    if (event.action === 'remove' || (isEndOfBackOff(event) && condition !== 'removed')) done.resolve(status)
  })
  const abort = () => {
    done.reject(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await done.promise
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', abort)
  }
}

function isEndOfBackOff({ action, attributes }: KagoEvent): boolean {
  return action === 'stop' && attributes?.['from'] === 'restarting'
}
