/** What the verbs of an image work with. Made once, where the daemon is composed. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { Platform } from '../../shared/oci/platform.ts'
import type { ContentStore } from '../content/store.ts'
import type { EventBus } from '../events/bus.ts'
import type { OperationContext } from '../operation/operation.ts'
import type { RegistryClient } from '../registry/client.ts'
import type { Snapshotter } from '../snapshot/contract.ts'
import type { ContainerTable } from '../state/containers.ts'
import type { ImageTable } from '../state/images.ts'
import { createLayerWork, type LayerWork } from './layer-work.ts'
import { createLeases, type Leases } from './leases.ts'

export interface ImageContext extends OperationContext {
  readonly images: ImageTable
  readonly containers: ContainerTable
  readonly content: ContentStore
  readonly snapshotter: Snapshotter
  readonly registry: RegistryClient
  readonly events: EventBus
  /** The program that unpacks a layer: `paths.programs.unpackLayer`, or `daemon/image/unpack-layer.ts`. */
  readonly unpackChildPath: string
  /** What is chosen from an index when nobody says otherwise: the machine's own. */
  readonly platform: Platform
  /** Holds `load-…` while archives are taken in, and the mark that the embedded image was loaded. */
  readonly dataRoot: string
  readonly memory: ImageMemory
}

/** What the verbs of one daemon share while it runs: `createImageMemory()`. */
export interface ImageMemory {
  readonly leases: Leases
  readonly layerWork: LayerWork
  /** Parsed configs by image id, the one used last at the end. Bounded. */
  readonly configs: Map<Digest, ImageConfig>
  /** Trees being deleted after the reply. */
  readonly deletions: Set<Promise<void>>
}

export function createImageMemory(): ImageMemory {
  return {
    leases: createLeases(),
    layerWork: createLayerWork(),
    configs: new Map(),
    deletions: new Set(),
  }
}
