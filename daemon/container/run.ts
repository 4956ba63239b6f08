/** Create and start as one operation: what `kago run` asks for, in the background or attached. */
import type { CreateBody } from '../../shared/protocol/containers.ts'
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { type CreateOptions, createSteps, newContainerId, prepareImage } from './create.ts'
import { type StartedContainer, startSteps, startUnlocked } from './start.ts'
import type { StartOptions } from './task-options.ts'

/** A container that could not be started stays, as `created`, unless it is one that removes itself. */
export async function runContainer(
  context: ContainerContext,
  body: CreateBody,
  options: CreateOptions & StartOptions,
): Promise<StartedContainer> {
  const image = await prepareImage(context, body, options)
  const id = newContainerId()
  // Held from before it can be found: nobody else works on it until it runs, or until what failed is undone.
  return await context.locks.hold(id, async () => {
    const about = { target: body.name ?? body.image, signal: options.signal }
    if (body.autoRemove === true) {
      return await operate(context, { kind: 'container.run', ...about }, async (operation) => {
        const container = await createSteps(context, operation, id, body, image, options.report)
        return await startSteps(context, operation, container, options)
      })
    }
    await operate(context, { kind: 'container.create', ...about }, (operation) =>
      createSteps(context, operation, id, body, image, options.report),
    )
    return await startUnlocked(context, id, options)
  })
}
