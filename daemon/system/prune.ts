/** Removes what nothing needs: containers that do not run, then networks and images that nobody else needs. */
import type { SystemPrune } from '../../shared/protocol/prune.ts'
import type { ContainerContext } from '../container/context.ts'
import { planNetworkPrune, pruneNetworks } from '../container/prune-networks.ts'
import { planContainers, pruneContainers } from '../container/prune.ts'
import { planVolumes, pruneVolumes } from '../container/prune-volumes.ts'
import { planImages, pruneImages } from '../image/prune.ts'

export interface SystemPruneOptions {
  dryRun?: boolean | undefined
  /** Images with names too. */
  all?: boolean | undefined
  filter?: readonly string[] | undefined
  /** Volumes without a name, too. */
  volumes?: boolean | undefined
  only?:
    | (Record<'containers' | 'networks' | 'images', readonly string[]> & {
        volumes?: readonly string[] | undefined
      })
    | undefined
}

export async function pruneSystem(
  context: ContainerContext,
  { dryRun = false, all, volumes: withVolumes = false, filter, only }: SystemPruneOptions,
): Promise<SystemPrune> {
  const forContainers = { filter, only: only?.containers }
  const containers = await (dryRun ? planContainers : pruneContainers)(context, forContainers)
  const withoutContainers = dryRun ? new Set(containers.map(({ id }) => id)) : undefined
  const forNetworks = { filter, only: only?.networks, withoutContainers }
  const networks = await (dryRun ? planNetworkPrune : pruneNetworks)(context, forNetworks)
  const forImages = { all, filter, only: only?.images, withoutContainers }
  const images = await (dryRun ? planImages : pruneImages)(context.image, forImages)
  const forVolumes = { filter, only: only?.volumes, withoutContainers }
  const volumes = withVolumes ? await (dryRun ? planVolumes : pruneVolumes)(context, forVolumes) : []
  const bytes = [...containers, ...images, ...volumes].reduce((sum, one) => sum + one.bytes, 0)
  return { containers, networks, images, volumes, bytes }
}
