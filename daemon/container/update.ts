/** Changes the limits of a container: in its record, and in the kernel if it runs. */
import { KagoError } from '../../shared/errors.ts'
import type { Resources } from '../../shared/protocol/containers.ts'
import { operate } from '../operation/operation.ts'
import { linuxResources } from '../runtime/spec/resources.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { askRuntime } from './kill.ts'
import { isAlive } from './lifecycle.ts'
import type { Container } from './record.ts'

export async function updateContainer(
  context: ContainerContext,
  text: string,
  change: { resources: Resources },
): Promise<Container> {
  if (Object.keys(change.resources).length === 0) {
    throw new KagoError('invalid_argument', 'nothing to change', {
      hint: 'give a limit, such as --memory 512m',
    })
  }
  const { id } = findContainer(context, text)
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    const before = container.record.options.resources
    const resources = { ...before, ...change.resources }
    const record = { ...container.record, options: { ...container.record.options, resources } }
    const runtime = context.runtimes.get(container.record.runtime)
    await operate(context, { kind: 'container.update', target: id }, async (operation) => {
      if (isAlive(container.state)) {
        await operation.step(
          'set the limits',
          { by: `${runtime.name} update`, undo: ['container.recorded-limits', id] },
          () => askRuntime(container, () => runtime.update(id, linuxResources(resources, context.host))),
        )
      }
      await operation.step('write the record', { by: 'kago.db' }, () => {
        context.events.record('durable', [{ type: 'container', action: 'update', id }], () => {
          context.containers.updateRecord(id, JSON.stringify(record))
        })
      })
    })
    return { ...container, record }
  })
}
