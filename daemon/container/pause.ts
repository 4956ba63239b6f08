/** Freezes and thaws a container's processes. */
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { askRuntime, liveTask } from './kill.ts'
import { nextState } from './lifecycle.ts'
import type { Container } from './record.ts'

export function pauseContainer(context: ContainerContext, text: string): Promise<Container> {
  return freeze(context, text, 'pause')
}

export function unpauseContainer(context: ContainerContext, text: string): Promise<Container> {
  return freeze(context, text, 'unpause')
}

async function freeze(
  context: ContainerContext,
  text: string,
  verb: 'pause' | 'unpause',
): Promise<Container> {
  const { id } = findContainer(context, text)
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    nextState(container.name, container.state, verb)
    const runtime = context.runtimes.get(container.record.runtime)
    await operate(context, { kind: `container.${verb}`, target: id }, async (operation) => {
      await operation.step(
        verb === 'pause' ? 'freeze its processes' : 'let its processes go on',
        { by: 'cgroup freezer', undo: verb === 'pause' ? ['container.thaw', id] : undefined },
        () => askRuntime(container, () => (verb === 'pause' ? runtime.pause(id) : runtime.resume(id))),
      )
      await operation.step('record it', { by: 'kago.db' }, () => {
        // It may have ended meanwhile: of a signal that waited for the thaw, or of a kill, which asks for no lock.
        const now = findContainer(context, id)
        liveTask(context, now)
        const state = nextState(now.name, now.state, verb)
        context.events.record('quick', [{ type: 'container', action: verb, id }], () => {
          context.containers.updateTask(id, { state }, 'quick')
        })
      })
    })
    return container
  })
}
