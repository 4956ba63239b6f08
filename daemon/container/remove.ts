/** Removes a container: its record first, then its files. What the record no longer names, the next start sweeps. */
import { existsSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import { cleanUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { deleteFiles } from './delete-files.ts'
import { findContainer } from './find.ts'
import { thaw } from './kill.ts'
import { leaveNetworks } from './leave-networks.ts'
import { isAlive, nextState } from './lifecycle.ts'
import type { Container } from './record.ts'
import { removeAnonymousVolumes } from './remove-volumes.ts'

export async function removeContainer(
  context: ContainerContext,
  text: string,
  { force = false, volumes = false }: { force?: boolean | undefined; volumes?: boolean | undefined } = {},
): Promise<Container> {
  const { id, state } = findContainer(context, text)
  // Whoever stops it holds its lock until it has ended, which may be as long as it likes.
  if (force && state === 'stopping') await context.tasks.get(id)?.shim.signal('KILL')
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    if (force && container.state === 'restarting') context.backOffs.cancel(id)
    if (!force) nextState(container.name, container.state, 'remove')
    await operate(context, { kind: 'container.remove', target: id }, async (operation) => {
      if (isAlive(container.state)) {
        await operation.step('kill it', { by: 'kill(2)', shell: `kill -KILL ${container.pid}` }, () =>
          endTask(context, container),
        )
      }
      await operation.step('forget its record', { by: 'kago.db' }, () => {
        context.events.record('durable', [{ type: 'container', action: 'remove', id }], () => {
          context.containers.remove(id, 'durable')
        })
        cleanUp(context, id, () => giveBackAll(context, container))
      })
    })
    if (volumes || container.record.options.autoRemove) await removeAnonymousVolumes(context, container)
    return container
  })
}

/** A bundle that is still there says that what the last task held was not given back. */
async function giveBackAll(context: ContainerContext, { id, record }: Container): Promise<void> {
  await leaveNetworks(context, id, { isRemoved: true })
  if (existsSync(context.paths.bundle(id))) {
    await context.runtimes.get(record.runtime).delete(id, { force: true })
  }
  await deleteFiles(context, id)
}

async function endTask(context: ContainerContext, container: Container): Promise<void> {
  const task = context.tasks.get(container.id)
  if (task === undefined) {
    throw new KagoError('wrong_state', `container ${container.name} is ${container.state} and has no task`, {
      hint: 'try again',
    })
  }
  // Its restart policy is not to bring back what goes.
  context.containers.updateTask(container.id, { manuallyStopped: 1 }, 'quick')
  await task.shim.signal('KILL')
  if (container.state === 'paused') await thaw(context, container)
  await task.ended
}
