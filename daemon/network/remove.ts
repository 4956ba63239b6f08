/** Removes a network that no container is attached to: its bridge and its record. */
import { KagoError } from '../../shared/errors.ts'
import { deleteLink } from '../host/links.ts'
import { operate } from '../operation/operation.ts'
import type { NetworkContext } from './context.ts'
import { findNetwork } from './find.ts'
import { closeNames } from './name-service.ts'
import { defaultNetworkName, type Network } from './records.ts'

/** Containers that are in it but do not run are in it no more. */
export async function removeNetwork(context: NetworkContext, text: string): Promise<Network> {
  const network = findNetwork(context, text)
  const { id, name, bridge } = network
  if (name === defaultNetworkName) {
    throw new KagoError('invalid_argument', `network ${name} is the default network and stays`)
  }
  refuseUsed(context, network)
  await operate(context, { kind: 'network.remove', target: name }, async (operation) => {
    // In one turn of the loop: nobody attaches to what is going.
    const undo = ['network.drop-bridge', id, bridge] as const
    await operation.step('forget its record', { by: 'kago.db', undo }, () => {
      refuseUsed(context, network)
      context.networks.remove(id)
    })
    await operation.step('delete the bridge', { by: 'rtnetlink(7)', shell: `ip link delete ${bridge}` }, () =>
      deleteBridge(context, network),
    )
  })
  context.events.publish({ type: 'network', action: 'remove', id, attributes: { name } })
  return network
}

export async function deleteBridge(
  context: NetworkContext,
  { id, bridge }: Pick<Network, 'id' | 'bridge'>,
): Promise<void> {
  const { memory, firewall } = context
  await closeNames(context.nameService, id)
  memory.bridges.delete(id)
  memory.dnsPorts.delete(id)
  if (firewall.problem() === undefined) await firewall.refresh()
  await memory.removals.send([deleteLink(bridge)])
}

function refuseUsed(context: NetworkContext, { id, name }: Network): void {
  const users = attachedTo(context, id)
  if (users.length === 0) return
  const [first = ''] = users
  throw new KagoError('in_use', `network ${name} is used by ${users.join(', ')}`, {
    hint: `stop them, or take them out first: kago network disconnect ${name} ${first}`,
    details: { containers: users },
  })
}

/** Names of the containers that hold addresses in it. */
export function attachedTo({ endpoints, containers }: NetworkContext, networkId: string): string[] {
  return endpoints
    .ofNetwork(networkId)
    .filter((row) => row.interface !== null)
    .map(({ containerId }) => containers.find(containerId)?.name ?? containerId.slice(0, 12))
}
