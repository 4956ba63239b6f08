/** What each image is made of on the disk, and which of it others need too: trees of layers, and the bytes they came as. */
import { statSync } from 'node:fs'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'

export interface ImageParts {
  readonly rows: readonly ImageRow[]
  /** Bytes of all parts of an image; of those that another has as well. */
  sizeOf(imageId: string): { bytes: number; sharedBytes: number }
  /** Bytes of all images, each part once. */
  readonly totalBytes: number
  /**
   * Bytes that come free when these images go and no others.
   * @param usedChains the chainIDs that containers rest on
   */
  freedBy(imageIds: ReadonlySet<string>, usedChains: ReadonlySet<string>): number
}

/** From records, and the sizes of a few small files. */
export function readImageParts(context: ImageContext): ImageParts {
  const { images } = context
  const rows = images.list()
  const sizes = new Map<string, number>()
  const holders = new Map<string, Set<string>>()
  const parts = new Map<string, Set<string>>()
  for (const row of rows) {
    const own = new Map<string, number>()
    for (const { chainId, digest, sizeBytes, blobBytes } of images.layers(row.id)) {
      own.set(chainId, sizeBytes).set(`blob ${digest}`, blobBytes)
    }
    for (const digest of documentsOf(context, row)) own.set(`blob ${digest}`, documentBytes(context, digest))
    parts.set(row.id, new Set(own.keys()))
    for (const [key, bytes] of own) {
      sizes.set(key, bytes)
      holders.set(key, (holders.get(key) ?? new Set()).add(row.id))
    }
  }
  const total = (keys: Iterable<string>) => {
    let bytes = 0
    for (const key of keys) bytes += sizes.get(key) ?? 0
    return bytes
  }
  return {
    rows,
    totalBytes: total(sizes.keys()),
    sizeOf(imageId) {
      const own = [...(parts.get(imageId) ?? [])]
      return { bytes: total(own), sharedBytes: total(own.filter((key) => (holders.get(key)?.size ?? 0) > 1)) }
    },
    freedBy(imageIds, usedChains) {
      const isFree = (key: string) =>
        !usedChains.has(key) && [...(holders.get(key) ?? [])].every((id) => imageIds.has(id))
      const own = new Set([...imageIds].flatMap((id) => [...(parts.get(id) ?? [])]))
      return total([...own].filter(isFree))
    },
  }
}

/** Config, manifest, and the index that a name points at. */
function documentsOf({ images }: ImageContext, row: ImageRow): Set<Digest> {
  const targets = images.names(row.id).map(({ targetDigest }) => targetDigest)
  return new Set([row.id, row.manifestDigest, ...targets])
}

function documentBytes({ content }: ImageContext, digest: Digest): number {
  return statSync(content.path(digest), { throwIfNoEntry: false })?.size ?? 0
}
