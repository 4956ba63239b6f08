/** Removes volumes that no container mounts: first as a plan with the bytes, then, when it was agreed to, what the plan says. */
import { isKagoError } from '../../shared/errors.ts'
import type { PrunedVolume } from '../../shared/protocol/prune.ts'
import { parsePruneFilters } from '../image/prune-filters.ts'
import { volumeLabels } from '../volume/describe.ts'
import { removeVolume } from '../volume/remove.ts'
import type { ContainerContext } from './context.ts'
import { volumeUsage } from './volume-usage.ts'

export interface VolumePruneOptions {
  /** Those with a name too. */
  all?: boolean | undefined
  filter?: readonly string[] | undefined
  /** Only those: names of a plan that somebody has seen. */
  only?: readonly string[] | undefined
  /** Containers that will be gone by then, in a plan. */
  withoutContainers?: ReadonlySet<string> | undefined
}

export async function planVolumes(
  context: ContainerContext,
  { all = false, filter = [], only, withoutContainers }: VolumePruneOptions = {},
): Promise<PrunedVolume[]> {
  const { volume } = context
  const matches = parsePruneFilters(filter, Date.now())
  const wanted = only === undefined ? undefined : new Set(only)
  const unused = volume.volumes
    .list()
    .filter((row) => all || row.anonymous === 1)
    .filter(({ name }) => wanted?.has(name) !== false)
    .filter((row) => matches({ createdAt: row.createdAt, labels: volumeLabels(row) }))
    .filter(({ name }) => volume.volumes.users(name).every(({ id }) => withoutContainers?.has(id) === true))
  const usage = await volumeUsage(context, unused, { isPatient: true })
  return unused.map(({ id, name }) => ({ name, bytes: usage.get(id)?.bytes ?? 0 }))
}

/** What was mounted since the plan stays. */
export async function pruneVolumes(
  context: ContainerContext,
  options: VolumePruneOptions = {},
): Promise<PrunedVolume[]> {
  const removed: PrunedVolume[] = []
  for (const volume of await planVolumes(context, options)) {
    try {
      await removeVolume(context.volume, volume.name)
      removed.push(volume)
    } catch (error) {
      if (!isKagoError(error, 'not_found', 'in_use')) throw error
    }
  }
  return removed
}
