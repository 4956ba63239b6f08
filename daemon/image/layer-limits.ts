/** How large a layer may become: what no honest layer needs, and what the disk can spare. */
import { diskSpace } from '../host/files.ts'
import type { LayerLimits } from './extract-layer.ts'

const defaultEntries = 5_000_000
/** An archive of up to this is never too large, however small its compressed bytes. */
const alwaysAllowedBytes = 1 << 30
/** Above it: real layers stay under 20, gzip ends at 1032. */
const maxRatio = 200

/** @param compressedBytes undefined where nobody knows before the end: then the disk alone is the limit. */
export async function layerLimits(
  directory: string,
  compressedBytes: number | undefined,
): Promise<LayerLimits> {
  const { totalBytes } = await diskSpace(directory)
  return {
    entries: defaultEntries,
    archiveBytes:
      compressedBytes === undefined ? totalBytes : Math.max(alwaysAllowedBytes, compressedBytes * maxRatio),
    reserveBytes: Math.min(128 << 20, Math.floor(totalBytes / 50)),
  }
}
