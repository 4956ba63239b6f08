/** Removes networks: those that were asked for, or all that no container is in, first as a plan. */
import { isKagoError } from '../../shared/errors.ts'
import type { PrunedNetwork } from '../../shared/protocol/prune.ts'
import { parsePruneFilters } from '../image/prune-filters.ts'
import { findNetwork } from '../network/find.ts'
import { defaultNetworkName, type Network, readNetwork } from '../network/records.ts'
import { removeNetwork } from '../network/remove.ts'
import { cleanedUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'

export interface NetworkPruneOptions {
  filter?: readonly string[] | undefined
  /** Only those: ids of a plan that somebody has seen. */
  only?: readonly string[] | undefined
  /** As if these containers were gone. */
  withoutContainers?: ReadonlySet<string> | undefined
}

export function planNetworkPrune(
  { network: { networks, endpoints } }: ContainerContext,
  { filter = [], only, withoutContainers }: NetworkPruneOptions = {},
): PrunedNetwork[] {
  const matches = parsePruneFilters(filter, Date.now())
  const wanted = only === undefined ? undefined : new Set(only)
  const isUsed = (id: string) =>
    endpoints.ofNetwork(id).some(({ containerId }) => withoutContainers?.has(containerId) !== true)
  return networks
    .list()
    .map(readNetwork)
    .filter(({ id, name }) => name !== defaultNetworkName && wanted?.has(id) !== false && !isUsed(id))
    .filter(matches)
    .map(({ id, name, subnets }) => ({ id, name, subnets: subnets.map(({ subnet }) => subnet) }))
}

/** What somebody joined since the plan stays. */
export async function pruneNetworks(
  context: ContainerContext,
  options: NetworkPruneOptions = {},
): Promise<PrunedNetwork[]> {
  for (const { id } of context.network.networks.list()) await settle(context, id)
  const removed: PrunedNetwork[] = []
  for (const network of planNetworkPrune(context, options)) {
    try {
      await removeNetwork(context.network, network.id)
      removed.push(network)
    } catch (error) {
      if (!isKagoError(error, 'in_use', 'not_found')) throw error
    }
  }
  return removed
}

/** A container that ended a moment ago is no reason to refuse. */
export async function removeSettledNetwork(context: ContainerContext, text: string): Promise<Network> {
  await settle(context, findNetwork(context.network, text).id)
  return await removeNetwork(context.network, text)
}

async function settle(context: ContainerContext, networkId: string): Promise<void> {
  for (const { containerId } of context.network.endpoints.ofNetwork(networkId)) {
    await cleanedUp(context, containerId)
  }
}
