/** Containers as a list with their sizes: what each wrote, and with its image's layers. */
import type { ContainerSummary } from '../../shared/protocol/containers.ts'
import type { ContainerContext } from './context.ts'
import { readContainer } from './record.ts'
import { writableUsage } from './usage.ts'

export async function addSizes(
  context: ContainerContext,
  summaries: readonly ContainerSummary[],
): Promise<ContainerSummary[]> {
  const rows = summaries.flatMap(({ id }) => context.containers.find(id) ?? [])
  const usage = await writableUsage(context, rows)
  const layers = new Map(rows.map((row) => [row.id, layerBytes(context, readContainer(row).record.chainIds)]))
  return summaries.map((summary) => {
    const { bytes = 0, isEstimate = false } = usage.get(summary.id) ?? {}
    // A copied root holds its layers itself.
    const below = context.image.snapshotter.name === 'copy' ? 0 : (layers.get(summary.id) ?? 0)
    return { ...summary, size: { writableBytes: bytes, rootBytes: bytes + below, isEstimate } }
  })
}

function layerBytes({ image }: ContainerContext, chainIds: readonly string[]): number {
  return chainIds.reduce((sum, chainId) => sum + (image.images.findLayer(chainId)?.sizeBytes ?? 0), 0)
}
