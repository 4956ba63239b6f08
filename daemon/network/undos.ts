/** What takes the steps of network operations back. Each accepts a step that was done, half done or not begun. */
import type { NetworkContext } from './context.ts'
import { detachContainer, forgetContainer, leaveNetwork } from './detach.ts'
import { readNetwork } from './records.ts'
import { unpublishPorts } from './publish.ts'
import { deleteBridge } from './remove.ts'

type NetworkUndo = (id: string, ...more: never[]) => Promise<void>

export function networkUndos(context: NetworkContext): [string, NetworkUndo][] {
  return [
    ['network.detach', (containerId) => detachContainer(context, containerId)],
    ['network.forget', (containerId) => forgetContainer(context, containerId)],
    ['network.leave', (containerId, networkId: string) => leaveNetwork(context, containerId, networkId)],
    [
      'network.unpublish',
      async (containerId) => {
        await unpublishPorts(context, containerId)
      },
    ],
    ['network.drop-bridge', (id, bridge: string) => dropBridge(context, id, bridge)],
    ['network.remove', (id) => removeAgain(context, id)],
  ]
}

/** What no record names any more goes on going; if the record is still there, nothing has happened. */
async function dropBridge(context: NetworkContext, id: string, bridge: string): Promise<void> {
  if (context.networks.find(id) === undefined) await deleteBridge(context, { id, bridge })
}

async function removeAgain(context: NetworkContext, id: string): Promise<void> {
  const row = context.networks.find(id)
  if (row === undefined) return
  context.networks.remove(id)
  await deleteBridge(context, readNetwork(row))
}
