/** What the daemon does about networks when it starts: bridges are there, and no link is that no record names. */
import { toKagoError } from '../../shared/errors.ts'
import { deleteLink, listLinks } from '../host/links.ts'
import { ensureBridge } from './bridge.ts'
import type { NetworkContext } from './context.ts'
import { ensureDefaultNetwork } from './create.ts'
import { detachContainer, forgetContainer } from './detach.ts'
import { linkMark } from './link-mark.ts'
import { restorePorts } from './publish.ts'
import { hostInterfaceOf, readNetwork } from './records.ts'

/**
 * Containers have been restored before; `isRunning` says which of them hold what they have.
 * A machine where networks cannot be made is no reason not to start: containers without one still run.
 */
export async function restoreNetworks(
  context: NetworkContext,
  isRunning: (containerId: string) => boolean,
): Promise<void> {
  try {
    ensureDefaultNetwork(context)
    await context.firewall.refresh()
    await giveBack(context, isRunning)
    await sweepLinks(context)
    await raiseBridges(context)
    await restorePorts(context, isRunning)
    await context.memory.pool.fill()
  } catch (error) {
    context.log.error({ err: error }, `networks are not ready: ${toKagoError(error).message}`)
  }
}

/** Containers that ended while nobody looked hold addresses no more. */
async function giveBack(context: NetworkContext, isRunning: (id: string) => boolean): Promise<void> {
  for (const id of context.endpoints.orphans()) await forgetContainer(context, id)
  const idle = new Set(
    context.endpoints
      .attached()
      .map(({ containerId }) => containerId)
      .filter((id) => !isRunning(id)),
  )
  for (const id of idle) await detachContainer(context, id)
}

async function sweepLinks(context: NetworkContext): Promise<void> {
  const mark = linkMark(context)
  const known = new Set([
    ...context.networks.list().map(({ bridge }) => bridge),
    ...context.endpoints
      .attached()
      .map(({ containerId, networkId }) => hostInterfaceOf(containerId, networkId)),
  ])
  const strays = listLinks(context.memory.routing).filter(
    ({ name, alias }) => alias.startsWith(mark) && !known.has(name),
  )
  for (const { name } of strays) context.log.info({ link: name }, 'swept')
  if (strays.length > 0) await context.memory.removals.send(strays.map(({ name }) => deleteLink(name)))
}

/** Of networks that users made, and of those with running containers; the default one's comes with its first. */
async function raiseBridges(context: NetworkContext): Promise<void> {
  const used = new Set(context.endpoints.attached().map(({ networkId }) => networkId))
  for (const network of context.networks.list().map(readNetwork)) {
    if (network.bridge === context.config.bridge && !used.has(network.id)) continue
    try {
      await ensureBridge(context, network)
    } catch (error) {
      context.log.error({ err: error, network: network.name }, 'its bridge could not be made')
    }
  }
}
