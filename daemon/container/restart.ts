/** Stops a container if it runs, and starts it. */
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import type { Container } from './record.ts'
import type { StartOptions } from './task-options.ts'
import { startUnlocked } from './start.ts'
import { type StopOptions, stopUnlocked } from './stop.ts'

/** One that would remove itself at its end is kept for its next start. */
export async function restartContainer(
  context: ContainerContext,
  text: string,
  options: StopOptions = {},
  start: StartOptions = {},
): Promise<Container> {
  const { id } = findContainer(context, text)
  return await context.locks.hold(id, async () => {
    const task = context.tasks.get(id)
    if (task !== undefined) task.isRestarting = true
    try {
      await stopUnlocked(context, id, options)
      if (start.isAutomatic === true) countRestart(context, id)
    } catch (error) {
      if (task !== undefined) task.isRestarting = false
      throw error
    }
    const { container } = await startUnlocked(context, id, start)
    context.events.publish({ type: 'container', action: 'restart', id })
    return container
  })
}

function countRestart({ containers }: ContainerContext, id: string): void {
  const restartCount = (containers.find(id)?.restartCount ?? 0) + 1
  containers.updateTask(id, { restartCount, manuallyStopped: 0 }, 'quick')
}
