/** An image's layers as a stack: what the manifest says of the bytes beside what the config says of the trees. */
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { Manifest } from '../../shared/oci/manifest.ts'
import { chainIds } from '../snapshot/chain-id.ts'

export interface StackLayer {
  /** Of the blob. */
  digest: Digest
  mediaType: string
  blobBytes: number
  diffId: Digest
  chainId: Digest
}

/** The lowest first. `what` names the image. @throws corrupt when manifest and config do not fit each other */
export function stackOf(manifest: Pick<Manifest, 'layers'>, config: ImageConfig, what: string): StackLayer[] {
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== manifest.layers.length) {
    throw new KagoError(
      'corrupt',
      `${what} has ${manifest.layers.length} layers in its manifest and ${diffIds.length} in its config`,
    )
  }
  const ids = chainIds(diffIds)
  return manifest.layers.flatMap((layer, index) => {
    const [diffId, chainId] = [diffIds[index], ids[index]]
    if (diffId === undefined || chainId === undefined) return []
    return [{ digest: layer.digest, mediaType: layer.mediaType, blobBytes: layer.size, diffId, chainId }]
  })
}
