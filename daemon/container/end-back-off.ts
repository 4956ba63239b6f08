/** Ends a container that waits for the next start of its restart policy. */
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { nextState } from './lifecycle.ts'
import type { Container } from './record.ts'

/** It has no process: all there is to end is the wait for its next start. The caller holds its lock. */
export async function endBackOff(
  context: ContainerContext,
  container: Container,
  verb: 'stop' | 'kill',
): Promise<Container> {
  const { id, name } = container
  const stopped = { type: 'container', action: 'stop', id, attributes: { from: 'restarting' } } as const
  await operate(context, { kind: `container.${verb}`, target: id }, (operation) =>
    operation.step('end the wait for its next start', { by: 'kago.db' }, () => {
      context.backOffs.cancel(id)
      const state = nextState(name, container.state, 'stop')
      context.events.record('durable', [stopped], () => {
        context.containers.updateTask(id, { state, manuallyStopped: 1, restartAt: null }, 'durable')
      })
    }),
  )
  return container
}
