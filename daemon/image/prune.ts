/** Removes images that no container needs: first as a plan with the bytes, then, when it was agreed to, what the plan says. */
import { isKagoError } from '../../shared/errors.ts'
import type { PrunedImage } from '../../shared/protocol/prune.ts'
import type { ImageRow } from '../state/images.ts'
import { layersInUse } from './collect.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { familiarName } from './names.ts'
import { readImageParts } from './parts.ts'
import { parsePruneFilters } from './prune-filters.ts'
import { removeImage } from './remove.ts'

export interface ImagePruneOptions {
  /** Those with names too. */
  all?: boolean | undefined
  filter?: readonly string[] | undefined
  /** Only those: ids of a plan that somebody has seen. */
  only?: readonly string[] | undefined
  /** Containers that count as gone: they are in the same plan. */
  withoutContainers?: ReadonlySet<string> | undefined
}

/** What would go, each with the bytes that come free when those before it are gone. */
export async function planImages(
  context: ImageContext,
  options: ImagePruneOptions = {},
): Promise<PrunedImage[]> {
  const { all = false, filter = [], only, withoutContainers = new Set<string>() } = options
  const matches = parsePruneFilters(filter, Date.now())
  const wanted = only === undefined ? undefined : new Set(only)
  const parts = readImageParts(context)
  const gone = new Set<string>()
  const chains = layersInUse(context, withoutContainers)
  const plan: PrunedImage[] = []
  let freed = 0
  for (const row of parts.rows) {
    const names = context.images.names(row.id).map(({ name }) => familiarName(name))
    if ((names.length > 0 && !all) || wanted?.has(row.id) === false) continue
    const users = context.containers.usersOfImage(row.id).filter(({ id }) => !withoutContainers.has(id))
    if (users.length > 0 || context.memory.leases.isHeld(row.id)) continue
    if (filter.length > 0 && !matches({ createdAt: row.createdAt, labels: await labelsOf(context, row) }))
      continue
    gone.add(row.id)
    const bytes = parts.freedBy(gone, chains)
    plan.push({ id: row.id, names, bytes: bytes - freed })
    freed = bytes
  }
  return plan
}

/** What has come into use since the plan stays. */
export async function pruneImages(
  context: ImageContext,
  options: ImagePruneOptions = {},
): Promise<PrunedImage[]> {
  const removed: PrunedImage[] = []
  for (const { id, names } of await planImages(context, options)) {
    try {
      const { deleted, freedBytes } = await removeImage(context, id, { allNames: true })
      if (deleted.length > 0) removed.push({ id, names, bytes: freedBytes })
    } catch (error) {
      if (!isKagoError(error, 'in_use', 'not_found')) throw error
    }
  }
  return removed
}

/** One damaged image has no labels: it goes unless a label is asked for. */
async function labelsOf(context: ImageContext, row: ImageRow): Promise<Record<string, string>> {
  try {
    return (await readImageConfig(context, row)).config.Labels ?? {}
  } catch (error) {
    if (!isKagoError(error, 'corrupt', 'not_found')) throw error
    return {}
  }
}
