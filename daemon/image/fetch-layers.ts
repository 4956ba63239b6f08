/** Brings an image's layers in and unpacks each as soon as it is there: what is here already is neither fetched nor unpacked. */
import type { LayerProgress } from '../../shared/protocol/progress.ts'
import type { IngestSource } from '../content/ingest.ts'
import type { ImageContext } from './context.ts'
import type { JoinOptions } from './layer-work.ts'
import type { StackLayer } from './stack.ts'
import { unpackLayers } from './unpack.ts'
import { Slots } from './slots.ts'

/** Downloads at once; more gain nothing at one registry and make the first layer late. */
const downloadsAtOnce = 3
const reportEveryMilliseconds = 100

/**
 * The caller holds leases on the digests and chainIDs. When it returns, every blob is in content and every layer is
 * committed and recorded.
 * @param source where the bytes of a layer come from
 */
export async function fetchLayers(
  context: ImageContext,
  layers: readonly StackLayer[],
  source: (layer: StackLayer) => IngestSource,
  { report, signal }: JoinOptions,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const say = throttled(report)
  const downloads = startDownloads(context, layers, source, { say, signal: either })
  for (const download of downloads)
    download.catch((error: unknown) => {
      failed.abort(error)
    })
  try {
    await unpackLayers(
      layers.map((layer, index) => ({
        digest: layer.digest,
        diffId: layer.diffId,
        path: context.content.path(layer.digest),
        ready: downloads[index] ?? Promise.resolve(),
      })),
      {
        snapshotter: context.snapshotter,
        childPath: context.unpackChildPath,
        signal: either,
        onProgress: (index, bytes) => {
          say(layers[index], 'unpacking', bytes)
        },
        // A tree can be there before the bytes it could be made of: they are fetched all the same, for save and push.
        onCommitted: (index) =>
          void downloads[index]?.then(
            () => {
              say(layers[index], 'done')
            },
            () => {},
          ),
      },
    )
    await Promise.all(downloads)
    await recordLayers(context, layers)
  } catch (error) {
    // The first failure is the reason; what it cancelled says only that.
    throw signal.aborted ? signal.reason : failed.signal.aborted ? failed.signal.reason : error
  } finally {
    failed.abort()
    await Promise.allSettled(downloads)
  }
}

type Say = (layer: StackLayer | undefined, phase: LayerProgress['phase'], current?: number) => void

function startDownloads(
  context: ImageContext,
  layers: readonly StackLayer[],
  source: (layer: StackLayer) => IngestSource,
  { say, signal }: { say: Say; signal: AbortSignal },
): Promise<void>[] {
  const { content, images, snapshotter } = context
  const slots = new Slots(downloadsAtOnce)
  const download = async (layer: StackLayer) => {
    const isHere = await content.has(layer.digest)
    if (isHere && images.findLayer(layer.chainId) && (await snapshotter.hasLayer(layer.chainId))) {
      say(layer, 'exists')
      return
    }
    if (!isHere) {
      say(layer, 'waiting')
      await slots.use(() =>
        content.ingest({ digest: layer.digest, size: layer.blobBytes }, source(layer), {
          signal,
          onProgress: (current) => {
            say(layer, 'downloading', current)
          },
        }),
      )
    }
    say(layer, 'downloaded')
  }
  return layers.map(download)
}

/** In the stack's order: a layer's row names the one below it. */
async function recordLayers(
  { images, snapshotter }: ImageContext,
  layers: readonly StackLayer[],
): Promise<void> {
  const missing = layers.filter(({ chainId }) => images.findLayer(chainId) === undefined)
  const usages = await Promise.all(missing.map(({ chainId }) => snapshotter.usage({ chainId })))
  for (const [index, layer] of missing.entries()) {
    const parent = layers[layers.indexOf(layer) - 1]?.chainId ?? null
    const { chainId, diffId } = layer
    images.addLayer({ chainId, diffId, parent, sizeBytes: usages[index]?.bytes ?? 0 })
  }
}

/** Every change of phase is told, bytes within a phase ten times a second at most. What is done stays done. */
function throttled(report: JoinOptions['report']): Say {
  const last = new Map<StackLayer, { phase: string; at: number }>()
  return (layer, phase, current) => {
    if (layer === undefined) return
    const before = last.get(layer)
    const isOver = before?.phase === 'exists' || before?.phase === 'done'
    const isFull = current === layer.blobBytes
    if (isOver || (before?.phase === phase && !isFull && Date.now() - before.at < reportEveryMilliseconds))
      return
    last.set(layer, { phase, at: Date.now() })
    const bytes = current === undefined ? {} : { current, total: layer.blobBytes }
    report({ type: 'layer', digest: layer.digest, phase, ...bytes })
  }
}
