/** Gives a container another name. */
import { KagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import { announce } from './announce.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { checkName } from './names.ts'
import type { Container } from './record.ts'

export async function renameContainer(
  context: ContainerContext,
  text: string,
  name: string,
): Promise<Container> {
  const { id } = findContainer(context, text)
  checkName(name)
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    if (container.name === name) return container
    await operate(context, { kind: 'container.rename', target: id }, (operation) =>
      operation.step('write the name', { by: 'kago.db' }, () => {
        const attributes = { name, oldName: container.name }
        context.events.record('durable', [{ type: 'container', action: 'rename', id, attributes }], () => {
          if (context.containers.rename(id, name)) return
          throw new KagoError('already_exists', `the name ${name} is taken`, { hint: 'choose another' })
        })
      }),
    )
    const renamed = { ...container, name }
    announce(context, renamed)
    return renamed
  })
}
