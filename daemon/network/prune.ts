/** Removes the networks that no container is in, running or not. */
import { isKagoError } from '../../shared/errors.ts'
import type { NetworkContext } from './context.ts'
import { networkFilter } from './describe.ts'
import { defaultNetworkName, readNetwork } from './records.ts'
import { removeNetwork } from './remove.ts'

export interface PruneOptions {
  /** Only say which would go. */
  dryRun?: boolean | undefined
  filter?: readonly string[] | undefined
  /** Only those: ids of a plan that somebody has seen. */
  only?: readonly string[] | undefined
  /** Containers that count as gone: they are in the same plan. */
  withoutContainers?: ReadonlySet<string> | undefined
}

export async function pruneNetworks(
  context: NetworkContext,
  { dryRun = false, filter = [], only, withoutContainers = new Set() }: PruneOptions = {},
): Promise<{ networks: { id: string; name: string }[] }> {
  const matches = networkFilter(context, filter)
  const isUsed = (id: string) =>
    context.endpoints.ofNetwork(id).some(({ containerId }) => !withoutContainers.has(containerId))
  const unused = context.networks
    .list()
    .map(readNetwork)
    .filter(({ id, name }) => name !== defaultNetworkName && !isUsed(id))
    .filter(({ id }) => only?.includes(id) !== false)
    .filter(matches)
  const networks: { id: string; name: string }[] = []
  for (const { id, name } of unused) {
    if (dryRun || (await isRemoved(context, id))) networks.push({ id, name })
  }
  return { networks }
}

/** Somebody may have joined it, or removed it, since. */
async function isRemoved(context: NetworkContext, id: string): Promise<boolean> {
  try {
    await removeNetwork(context, id)
    return true
  } catch (error) {
    if (isKagoError(error, 'in_use', 'not_found')) return false
    throw error
  }
}
