/** Removes what nothing needs: containers that do not run, then networks and images that nobody else needs. */
import type { SystemPrune } from '../../shared/protocol/prune.ts'
import type { ContainerContext } from '../container/context.ts'
import { planNetworkPrune, pruneNetworks } from '../container/prune-networks.ts'
import { planContainers, pruneContainers } from '../container/prune.ts'
import { planImages, pruneImages } from '../image/prune.ts'

export interface SystemPruneOptions {
  dryRun?: boolean | undefined
  /** Images with names too. */
  all?: boolean | undefined
  filter?: readonly string[] | undefined
  only?: Record<'containers' | 'networks' | 'images', readonly string[]> | undefined
}

export async function pruneSystem(
  context: ContainerContext,
  { dryRun = false, all, filter, only }: SystemPruneOptions,
): Promise<SystemPrune> {
  const forContainers = { filter, only: only?.containers }
  const containers = await (dryRun ? planContainers : pruneContainers)(context, forContainers)
  const withoutContainers = dryRun ? new Set(containers.map(({ id }) => id)) : undefined
  const forNetworks = { filter, only: only?.networks, withoutContainers }
  const networks = await (dryRun ? planNetworkPrune : pruneNetworks)(context, forNetworks)
  const forImages = { all, filter, only: only?.images, withoutContainers }
  const images = await (dryRun ? planImages : pruneImages)(context.image, forImages)
  const bytes = [...containers, ...images].reduce((sum, one) => sum + one.bytes, 0)
  return { containers, networks, images, bytes }
}
