/** Lists images, newest first, narrowed by name and filters. */
import { isKagoError } from '../../shared/errors.ts'
import type { ImageSummary } from '../../shared/protocol/images.ts'
import type { ImageRow } from '../state/images.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { parseFilters } from './list-filters.ts'
import { familiarName } from './names.ts'

export async function listImages(
  context: ImageContext,
  query: { name?: string | undefined; filter?: readonly string[] | undefined } = {},
): Promise<ImageSummary[]> {
  const filters = parseFilters(context, query)
  const summaries: ImageSummary[] = []
  for (const row of context.images.list()) {
    const summary = await summarize(context, row)
    const kept = filters(summary, row)
    if (kept !== undefined) summaries.push(kept)
  }
  return summaries
}

async function summarize(context: ImageContext, row: ImageRow): Promise<ImageSummary> {
  const { images, containers } = context
  return {
    id: row.id,
    names: images.names(row.id).map(({ name }) => familiarName(name)),
    digests: images.digests(row.id).map(familiarName),
    createdAt: timestamp(row.createdAt),
    sizeBytes: images.layers(row.id).reduce((sum, layer) => sum + layer.sizeBytes, 0),
    labels: await readLabels(context, row),
    platform: row.platform,
    containers: containers.usersOfImage(row.id).length,
  }
}

/** One damaged image must not hide the others: `image inspect` says what is wrong with it. */
async function readLabels(context: ImageContext, row: ImageRow): Promise<Record<string, string>> {
  try {
    return (await readImageConfig(context, row)).config.Labels ?? {}
  } catch (error) {
    if (!isKagoError(error, 'corrupt')) throw error
    context.log.warn({ err: error, image: row.id }, 'the config of an image cannot be read')
    return {}
  }
}

export function timestamp(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString()
}
