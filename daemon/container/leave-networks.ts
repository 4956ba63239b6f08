/** What a container that has ended gives back to its networks. */
import { detachContainer, forgetContainer } from '../network/detach.ts'
import { unpublishPorts } from '../network/publish.ts'
import type { ContainerContext } from './context.ts'
import { isAlive } from './lifecycle.ts'

export async function leaveNetworks(
  { network }: ContainerContext,
  id: string,
  { isRemoved }: { isRemoved: boolean },
): Promise<void> {
  network.nameService.names.dropContainer(id)
  await unpublishPorts(network, id)
  if (isRemoved) await forgetContainer(network, id)
  else await detachContainer(network, id)
}

/** Whether what the container holds is in use. */
export function isRunning({ containers }: Pick<ContainerContext, 'containers'>, id: string): boolean {
  const row = containers.find(id)
  return row !== undefined && isAlive(row.state)
}
