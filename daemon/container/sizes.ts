/** Containers as a list with their sizes: what each wrote, and with its image's layers. */
import type { ContainerSummary } from '../../shared/protocol/containers.ts'
import type { ContainerContext } from './context.ts'
import { writableUsage } from './usage.ts'

export async function addSizes(
  context: ContainerContext,
  summaries: readonly ContainerSummary[],
): Promise<ContainerSummary[]> {
  const wanted = new Set(summaries.map(({ id }) => id))
  const usage = await writableUsage(
    context,
    context.containers.list().filter(({ id }) => wanted.has(id)),
  )
  const layers = new Map<string, number>()
  return summaries.map((summary) => {
    const { bytes = 0, isEstimate = false } = usage.get(summary.id) ?? {}
    const below = layers.get(summary.imageId) ?? layerBytes(context, summary.imageId)
    layers.set(summary.imageId, below)
    return { ...summary, size: { writableBytes: bytes, rootBytes: bytes + below, isEstimate } }
  })
}

/** A copied root holds its layers itself. */
function layerBytes({ image }: ContainerContext, imageId: string): number {
  if (image.snapshotter.name === 'copy') return 0
  return image.images.layers(imageId).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
