/** Everything that is known of an image. */
import type { ImageDetails } from '../../shared/protocol/images.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { findImage } from './find.ts'
import { timestamp } from './list.ts'
import { familiarName } from './names.ts'

export async function inspectImage(context: ImageContext, nameOrId: string): Promise<ImageDetails> {
  const { images } = context
  const row = findImage(context, nameOrId)
  const config = await readImageConfig(context, row)
  const layers = images.layers(row.id)
  return {
    id: row.id,
    names: images.names(row.id).map(({ name }) => familiarName(name)),
    digests: images.digests(row.id).map(familiarName),
    manifestDigest: row.manifestDigest,
    createdAt: timestamp(row.createdAt),
    author: config.author ?? null,
    platform: row.platform,
    sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    config: { ...config.config },
    layers: layers.map(({ position: _position, ...layer }) => layer),
  }
}
