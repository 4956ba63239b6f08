/** Collects what nobody needs any more: layers' trees and blobs. Safe beside pulls, which hold leases on what they use. */
import { stat } from 'node:fs/promises'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageContext } from './context.ts'

/** The chainIDs that containers rest on, from their records; `without` are containers that count as gone. */
export function layersInUse(
  { containers }: Pick<ImageContext, 'containers'>,
  without: ReadonlySet<string> = new Set(),
): Set<Digest> {
  const used = new Set<Digest>()
  for (const { id, record } of containers.list()) {
    if (without.has(id)) continue
    // Written by container/create.ts from an image's own chainIDs.
    const { chainIds = [] } = JSON.parse(record) as { chainIds?: Digest[] }
    for (const chainId of chainIds) used.add(chainId)
  }
  return used
}

/**
 * Removes the layers that no image, no container and no running verb needs. They are gone at once; their trees are deleted
 * after this has returned.
 * @returns the bytes of the trees
 */
export function collectLayers(context: ImageContext): number {
  const { images, memory, snapshotter } = context
  let freed = 0
  // One turn of the event loop: nothing can begin to need a layer between the look and its removal.
  for (const layer of images.orphanLayers(layersInUse(context))) {
    if (memory.leases.isHeld(layer.chainId)) continue
    images.removeLayer(layer.chainId)
    freed += layer.sizeBytes
    deleteLater(context, layer.chainId, () => snapshotter.removeLayer(layer.chainId))
  }
  return freed
}

/** Removes trees that were committed and then not recorded, as those of a pull that failed. */
export function discardUnrecordedLayers(context: ImageContext, chainIds: readonly Digest[]): void {
  const { images, memory, snapshotter } = context
  for (const chainId of chainIds) {
    if (images.findLayer(chainId) !== undefined || memory.leases.isHeld(chainId)) continue
    deleteLater(context, chainId, () => snapshotter.removeLayer(chainId))
  }
}

/** Removes those of the given blobs that no image refers to and no running verb holds. Partial bytes go as well. */
export async function collectBlobs(context: ImageContext, digests: Iterable<Digest>): Promise<number> {
  const { content, images, memory } = context
  const sizes = new Map<Digest, number>()
  for (const digest of digests)
    sizes.set(digest, (await content.has(digest)) ? await content.size(digest) : 0)
  const referenced = images.referencedDigests()
  let freed = 0
  const removals: Promise<unknown>[] = []
  for (const [digest, size] of sizes) {
    if (referenced.has(digest) || memory.leases.isHeld(digest)) continue
    freed += size
    removals.push(memory.leases.removeUnlessHeld(digest, () => content.remove(digest)))
  }
  await Promise.all(removals)
  return freed
}

/** Sweeps the whole content store, sparing what came in lately: it may be the half of a pull that is tried again. */
export async function collectContent(
  context: ImageContext,
  { olderThanSeconds }: { olderThanSeconds: number },
): Promise<number> {
  const { content, images } = context
  const referenced = images.referencedDigests()
  const old: Digest[] = []
  for (const digest of await content.list()) {
    if (referenced.has(digest)) continue
    const file = await stat(content.path(digest)).catch(() => undefined)
    if (file !== undefined && Date.now() - file.mtimeMs >= olderThanSeconds * 1000) old.push(digest)
  }
  return await collectBlobs(context, old)
}

/** Waits until every tree that is being deleted is gone: before the daemon ends, and in tests. */
export async function settleDeletions({ memory }: Pick<ImageContext, 'memory'>): Promise<void> {
  while (memory.deletions.size > 0) await Promise.all(memory.deletions)
}

function deleteLater({ memory, log }: ImageContext, chainId: Digest, remove: () => Promise<void>): void {
  const deletion = memory.leases
    .removeUnlessHeld(chainId, remove)
    // The next start deletes trees that nothing records.
    .catch((error: unknown) => {
      log.error({ err: error, chainId }, 'a layer could not be deleted')
    })
    .then(() => void memory.deletions.delete(deletion))
  memory.deletions.add(deletion)
}
