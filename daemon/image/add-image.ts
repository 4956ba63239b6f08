/** The second half of every way an image comes in: its layers are fetched and unpacked, then it is committed, its name last. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { Manifest } from '../../shared/oci/manifest.ts'
import { formatPlatform } from '../../shared/oci/platform.ts'
import type { IngestSource } from '../content/ingest.ts'
import type { Operation, Undo } from '../operation/operation.ts'
import type { ImageContext } from './context.ts'
import { fetchLayers } from './fetch-layers.ts'
import { parseCreated } from './history.ts'
import { LayerSteps } from './layer-steps.ts'
import type { JoinOptions } from './layer-work.ts'
import { type StackLayer, stackOf } from './stack.ts'

export interface ImageToAdd {
  /** The image as people know it, for messages. */
  what: string
  manifest: Manifest
  manifestDigest: Digest
  /** In content, as the manifest and what is between it and `targetDigest` are. */
  config: ImageConfig
  /** What the names stand for: the index where there is one. */
  targetDigest: Digest
  /** Canonical; may be none. */
  names: readonly string[]
  /** Canonical; where `repository@targetDigest` comes from. */
  repository?: string | undefined
  /** Where a layer's bytes are. Not asked for those that are in content. */
  source: (layer: StackLayer) => IngestSource
  /** The same for people: a tool, and the line that would fetch a layer. */
  fetchedBy: { by: string; shell: (layer: StackLayer) => string | undefined }
}

/** @returns whether the image was there before, layers and all */
export async function addImage(
  context: ImageContext,
  operation: Operation,
  image: ImageToAdd,
  { report, signal }: JoinOptions,
): Promise<{ id: Digest; wasHere: boolean }> {
  const { images, memory } = context
  const layers = stackOf(image.manifest, image.config, image.what)
  const id = image.manifest.config.digest
  const release = await memory.leases.hold([
    id,
    image.manifestDigest,
    image.targetDigest,
    ...layers.flatMap(({ digest, chainId }) => [digest, chainId]),
  ])
  try {
    const wasHere = images.find(id) !== undefined && (await hasLayers(context, layers))
    await bringLayers(context, operation, image, layers, { report, signal })
    await commitImage(context, operation, image, layers)
    return { id, wasHere }
  } finally {
    release()
  }
}

export async function hasLayers(
  { content, images, snapshotter }: ImageContext,
  layers: readonly Pick<StackLayer, 'chainId' | 'digest'>[],
): Promise<boolean> {
  for (const { chainId, digest } of layers) {
    const isHere = images.findLayer(chainId) !== undefined && (await snapshotter.hasLayer(chainId))
    if (!isHere || !(await content.has(digest))) return false
  }
  return true
}

async function bringLayers(
  context: ImageContext,
  operation: Operation,
  image: ImageToAdd,
  layers: readonly StackLayer[],
  { report, signal }: JoinOptions,
): Promise<void> {
  const steps = new LayerSteps(context, operation, layers, image.fetchedBy)
  const both: JoinOptions['report'] = (progress) => {
    steps.report(progress)
    report(progress)
  }
  try {
    await context.memory.layerWork.join(image.manifestDigest, { report: both, signal }, (options) =>
      fetchLayers(context, layers, image.source, options),
    )
  } catch (error) {
    await steps.settle(error)
    throw error
  }
  await steps.settle()
}

async function commitImage(
  context: ImageContext,
  operation: Operation,
  image: ImageToAdd,
  layers: readonly StackLayer[],
): Promise<void> {
  const { images } = context
  const { manifest, manifestDigest, config, targetDigest, repository } = image
  const id = manifest.config.digest
  const isNew = images.find(id) === undefined
  // The image is there with its first name; each further name is a step of its own.
  for (const name of image.names.length === 0 ? [undefined] : image.names) {
    await operation.step(
      name === undefined ? 'record the image' : `write the name ${name}`,
      { by: 'kago.db', undo: undoOf(images, name, isNew ? id : null) },
      () => {
        images.commit({
          image: {
            id,
            manifestDigest,
            manifestType: manifest.mediaType,
            platform: formatPlatform(config),
            createdAt: parseCreated(config.created),
          },
          layers,
          targetDigest,
          ...(name !== undefined && { name }),
          ...(repository !== undefined && { repository }),
        })
      },
    )
  }
}

function undoOf(images: ImageContext['images'], name: string | undefined, newId: Digest | null): Undo {
  const before = name === undefined ? undefined : images.findByName(name)
  return ['image.uncommit', name ?? null, before?.id ?? null, before?.targetDigest ?? null, newId]
}
