/** One layer, from its archive to a tree in the current directory, within limits, with the digest of its archive. */
import { createHash } from 'node:crypto'
import { statfsSync } from 'node:fs'
import type { Digest } from '../../shared/oci/digest.ts'
import { decideEntry } from './layer-entry.ts'
import { LimitReached, layerError } from './layer-failure.ts'
import { type LayerFormat, type LayerReport, LayerTree, type Seed } from './layer-tree.ts'
import { type TarEntry, TarReader } from '../../shared/tar/reader.ts'

export interface LayerLimits {
  entries: number
  /** Bytes of the uncompressed archive. */
  archiveBytes: number
  /** What must stay free on the disk, in bytes. */
  reserveBytes: number
}

export interface ExtractOptions {
  /** For messages: the layer's digest, or a file's name. */
  layer: string
  format: LayerFormat
  limits: LayerLimits
  seeds: readonly Seed[]
}

export interface Extracted {
  /** sha256 of the uncompressed bytes, including those after the archive's end. */
  diffId: Digest
  archiveBytes: number
  entries: number
  report: LayerReport
}

const checkEveryBytes = 64 << 20
const checkEveryEntries = 10_000

/**
 * Chunks of the archive are used before the next one is asked for.
 * @throws KagoError that names the layer, the entry and the rule; the directory is then to be thrown away.
 */
export async function extractLayer(
  archive: AsyncIterable<Buffer>,
  options: ExtractOptions,
): Promise<Extracted> {
  const { limits } = options
  const tree = new LayerTree(options.format, options.seeds)
  const hash = createHash('sha256')
  let current: TarEntry | undefined
  let entries = 0
  let archiveBytes = 0
  let nextCheck = 0
  const reader = new TarReader({
    entry(entry) {
      current = entry
      if (++entries > limits.entries) throw new LimitReached(`it has more than ${limits.entries} entries`)
      if (entries % checkEveryEntries === 0) checkSpace(limits.reserveBytes)
      if (entry.size > limits.archiveBytes) throw tooLarge(limits)
      tree.apply(decideEntry(entry), entry)
    },
    data: (chunk) => tree.write(chunk),
    end() {
      tree.endFile()
      current = undefined
    },
  })
  try {
    for await (const chunk of archive) {
      archiveBytes += chunk.length
      if (archiveBytes > limits.archiveBytes) throw tooLarge(limits)
      if (archiveBytes >= nextCheck) {
        checkSpace(limits.reserveBytes)
        nextCheck = archiveBytes + checkEveryBytes
      }
      hash.update(chunk)
      reader.push(chunk)
    }
    reader.finish()
    return { diffId: `sha256:${hash.digest('hex')}`, archiveBytes, entries, report: tree.finish() }
  } catch (error) {
    throw layerError(error, options.layer, current?.name)
  }
}

function tooLarge(limits: LayerLimits): LimitReached {
  return new LimitReached(`it unpacks to more than ${limits.archiveBytes} bytes`)
}

function checkSpace(reserveBytes: number): void {
  const { bavail, bsize, ffree, files } = statfsSync('.')
  if (bavail * bsize < reserveBytes)
    throw new LimitReached(
      `no space left on the disk: ${bavail * bsize} bytes are free, ${reserveBytes} stay in reserve`,
    )
  // Some file systems make inodes as they go and say 0 of 0.
  if (files > 0 && ffree < 1000) throw new LimitReached('no inodes left on the disk')
}
