/** Takes a container's links away and gives its addresses back; accepts one that has none. */
import { deleteLink } from '../host/links.ts'
import { handOver } from './attach.ts'
import type { NetworkContext } from './context.ts'
import { hostInterfaceOf } from './records.ts'

/** Addresses are free only when the links are gone: nobody else answers for them. */
export async function detachContainer(context: NetworkContext, containerId: string): Promise<void> {
  handOver(context, containerId)
  const held = context.endpoints.ofContainer(containerId).filter((row) => row.interface !== null)
  if (held.length === 0) return
  await context.memory.removals.send(
    held.map(({ networkId }) => deleteLink(hostInterfaceOf(containerId, networkId))),
  )
  context.endpoints.release(containerId)
}

/** The same, and the container is in no network any more. */
export async function forgetContainer(context: NetworkContext, containerId: string): Promise<void> {
  await detachContainer(context, containerId)
  context.endpoints.remove(containerId)
}

/** Takes one link away, and the container is in that network no more. */
export async function leaveNetwork(
  context: NetworkContext,
  containerId: string,
  networkId: string,
): Promise<void> {
  if (context.endpoints.find(containerId, networkId) === undefined) return
  await context.memory.removals.send([deleteLink(hostInterfaceOf(containerId, networkId))])
  context.endpoints.remove(containerId, networkId)
}
