/** Changes a container: its limits and published ports, at once if it runs; its restart policy; its labels; its environment at the next start. */
import type { UpdateBody } from '../../shared/protocol/containers.ts'
import { operate } from '../operation/operation.ts'
import { linuxResources } from '../runtime/spec/resources.ts'
import { changedRecord } from './changed-options.ts'
import type { ContainerContext } from './context.ts'
import { endBackOff } from './end-back-off.ts'
import { findContainer } from './find.ts'
import { askRuntime } from './kill.ts'
import { isAlive } from './lifecycle.ts'
import { changePorts } from './publish.ts'
import type { Container } from './record.ts'

export async function updateContainer(
  context: ContainerContext,
  text: string,
  change: UpdateBody,
): Promise<Container> {
  const { id } = findContainer(context, text)
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    const record = changedRecord(
      id,
      container.record,
      change,
      context.host,
      context.network.ports.ofContainer(id),
    )
    const { resources, restart } = record.options
    const runtime = context.runtimes.get(record.runtime)
    await operate(context, { kind: 'container.update', target: id }, async (operation) => {
      if (isAlive(container.state) && change.resources !== undefined) {
        await operation.step(
          'set the limits',
          { by: `${runtime.name} update`, undo: ['container.recorded-limits', id] },
          () => askRuntime(container, () => runtime.update(id, linuxResources(resources, context.host))),
        )
      }
      const { publishAdd: add = [], publishRemove: remove = [] } = change
      if (isAlive(container.state) && add.length + remove.length > 0) {
        await operation.step(
          'change the published ports',
          { by: 'bind(2), nfnetlink', undo: ['container.recorded-ports', id] },
          () => changePorts(context, id, { add, remove }),
        )
      }
      await operation.step('write the record', { by: 'kago.db' }, () => {
        context.events.record('durable', [{ type: 'container', action: 'update', id }], () => {
          context.containers.updateRecord(id, JSON.stringify(record))
        })
      })
    })
    // It waits for a start that its policy does not want any more.
    const isGivenUp = container.state === 'restarting' && (restart?.policy ?? 'no') === 'no'
    if (isGivenUp) await endBackOff(context, container, 'stop')
    return { ...container, record }
  })
}
