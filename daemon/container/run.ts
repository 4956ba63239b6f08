/** Create and start as one operation: what `kago run` asks for, in the background or attached. */
import type { CreateBody } from '../../shared/protocol/containers.ts'
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { type CreateOptions, createSteps, prepareImage } from './create.ts'
import { type StartedContainer, startSteps } from './start.ts'
import type { StartOptions } from './task-options.ts'

/** A container that could not be started stays, as `created`, unless it is one that removes itself. */
export async function runContainer(
  context: ContainerContext,
  body: CreateBody,
  options: CreateOptions & StartOptions,
): Promise<StartedContainer> {
  const image = await prepareImage(context, body, options)
  const about = { target: body.name ?? body.image, signal: options.signal }
  if (body.autoRemove === true) {
    return await operate(context, { kind: 'container.run', ...about }, async (operation) => {
      const container = await createSteps(context, operation, body, image, options.report)
      return await context.locks.hold(container.id, () => startSteps(context, operation, container, options))
    })
  }
  const container = await operate(context, { kind: 'container.create', ...about }, (operation) =>
    createSteps(context, operation, body, image, options.report),
  )
  return await operate(context, { kind: 'container.start', target: container.id }, (operation) =>
    context.locks.hold(container.id, () => startSteps(context, operation, container, options)),
  )
}
