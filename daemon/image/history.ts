/** How an image was built, newest step first: what its config tells, beside the layers that the steps made. */
import type { ResultOf } from '../../shared/protocol/route.ts'
import type { imageRoutes } from '../../shared/protocol/images.ts'
import type { ImageLayerRow } from '../state/images.ts'
import type { ImageConfig, ImageHistory } from '../../shared/oci/image-config.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { findImage } from './find.ts'

export type HistoryStep = ResultOf<(typeof imageRoutes)['image.history']>[number]

export async function imageHistory(context: ImageContext, nameOrId: string): Promise<HistoryStep[]> {
  const row = findImage(context, nameOrId)
  return joinHistory(await readImageConfig(context, row), context.images.layers(row.id))
}

/** Steps that made no layer say so; a config that tells too little or too much leaves layers or steps without the other. */
export function joinHistory(
  config: Pick<ImageConfig, 'history'>,
  layers: readonly ImageLayerRow[],
): HistoryStep[] {
  const pending = [...layers]
  const steps = config.history.map((step) => toStep(step, step.empty_layer ? undefined : pending.shift()))
  return [...steps, ...pending.map((layer) => toStep({}, layer))].toReversed()
}

function toStep(step: ImageHistory, layer: ImageLayerRow | undefined): HistoryStep {
  return {
    layer: layer?.digest ?? null,
    createdAt: readTime(step.created),
    createdBy: step.created_by ?? '',
    comment: step.comment ?? '',
    sizeBytes: layer?.sizeBytes ?? 0,
  }
}

/** RFC 3339 as configs have it, with or without nanoseconds; null for anything else. */
function readTime(text: string | undefined): string | null {
  const time = parseCreated(text)
  return time === null ? null : new Date(time).toISOString()
}

/** Milliseconds since 1970, or null. */
export function parseCreated(text: string | undefined): number | null {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? null : time
}
