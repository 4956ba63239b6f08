/** What both kinds of archives are read as. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { Manifest } from '../../shared/oci/manifest.ts'

/** An image of an archive. Its documents and layers are in content. */
export interface LoadedImage {
  manifest: Manifest
  manifestDigest: Digest
  config: ImageConfig
  /** What its names stood for where it was saved: an index perhaps. */
  targetDigest: Digest
  /** As the archive has them. */
  names: string[]
}
