/** What the daemon does with images at its start: removes what a crash left, and makes records and trees agree. */
import { layerName } from '../snapshot/chain-id.ts'
import { removeLoadScratch } from './archive-intake.ts'
import { collectContent, collectLayers } from './collect.ts'
import type { ImageContext } from './context.ts'

/** Content that no image refers to is kept this long: the half of a pull that somebody may try again. */
const spareContentSeconds = 7 * 24 * 3600

/** Reads no blob and no tree. A second call does nothing. Before any other verb, after the operations were rolled back. */
export async function recoverImages(context: ImageContext): Promise<void> {
  await context.content.recover()
  await context.snapshotter.recover()
  await removeLoadScratch(context)
  await agreeOnLayers(context)
  collectLayers(context)
  await collectContent(context, { olderThanSeconds: spareContentSeconds })
}

/** A tree without a record is removed; a record without a tree stays while an image needs it: a pull makes it anew. */
async function agreeOnLayers({ images, snapshotter, log }: ImageContext): Promise<void> {
  const committed = new Set(await snapshotter.listLayers())
  const recorded = new Set<string>()
  for (const image of images.list()) {
    const layers = images.layers(image.id).map(({ chainId }) => layerName(chainId))
    for (const name of layers) recorded.add(name)
    if (layers.every((name) => committed.has(name))) continue
    log.warn({ image: image.id }, 'layers of an image are not on the disk; pull it again')
  }
  for (const layer of images.orphanLayers(new Set())) recorded.add(layerName(layer.chainId))
  for (const name of committed) {
    // The rest of the chainID is not known any more; the folder's name is all that matters.
    if (!recorded.has(name)) await snapshotter.removeLayer(`sha256:${name.padEnd(64, '0')}`)
  }
}
