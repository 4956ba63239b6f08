/** Takes a container out of a network, running or not. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { renewDefaultRoutes } from '../network/attach.ts'
import { leaveNetwork } from '../network/detach.ts'
import { findNetwork } from '../network/find.ts'
import { leadPortsAnew } from '../network/publish.ts'
import { hostInterfaceOf, type Network, readEndpoint, readNetwork } from '../network/records.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { inNamespaceOf, setDisconnected, tellNames } from './connect.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'
import { nameOptions } from './name-options.ts'
import type { Container } from './record.ts'

export async function disconnectContainer(
  context: ContainerContext,
  networkText: string,
  containerText: string,
  { force = false }: { force?: boolean | undefined } = {},
): Promise<{ id: string; name: string }> {
  const network = findNetwork(context.network, networkText)
  const { id, name } = network
  const container = findOrGone(context, containerText, force)
  if (container === undefined) return { id, name }
  await context.locks.hold(container.id, async () => {
    if (context.network.endpoints.find(container.id, id) === undefined) {
      if (force) return
      throw new KagoError('not_found', `container ${container.name} is not in network ${name}`, {
        hint: `see who is: kago network inspect ${name}`,
      })
    }
    await operate(context, { kind: 'network.disconnect', target: container.id }, (operation) =>
      disconnectSteps(context, operation, findContainer(context, container.id), network),
    )
    const attributes = { name, container: container.id }
    context.events.publish({ type: 'network', action: 'disconnect', id, attributes })
  })
  return { id, name }
}

function findOrGone(context: ContainerContext, text: string, force: boolean): Container | undefined {
  try {
    return findContainer(context, text)
  } catch (error) {
    if (force && isKagoError(error, 'not_found')) return undefined
    throw error
  }
}

async function disconnectSteps(
  context: ContainerContext,
  operation: Operation,
  container: Container,
  network: Network,
): Promise<void> {
  const { id } = container
  const namesBefore = nameOptions(context, container)
  await operation.step(
    `leave ${network.name}`,
    {
      by: 'rtnetlink(7)',
      shell: `ip link delete ${hostInterfaceOf(id, network.id)}`,
      // Half of it cannot stay, and a link that is gone does not come back: then it leaves altogether.
      undo: ['network.leave', id, network.id],
    },
    () => leaveNetwork(context.network, id, network.id),
  )
  const rest = context.network.endpoints.ofContainer(id)
  if (rest.length === 0) setDisconnected(context, container, true)
  if (!isAlive(container.state)) return
  const joined = rest.flatMap((row) => {
    const found = context.network.networks.find(row.networkId)
    return found === undefined ? [] : [{ endpoint: readEndpoint(row), network: readNetwork(found) }]
  })
  if (joined.length > 0) {
    await operation.step('find another way out', { by: 'setns(2), rtnetlink(7)' }, () =>
      inNamespaceOf(container, (namespace) => renewDefaultRoutes(namespace, joined)),
    )
  }
  await leadPortsAnew(context.network, id)
  await tellNames(context, container, namesBefore)
}
