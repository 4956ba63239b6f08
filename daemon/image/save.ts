/**
 * Writes images as one tar archive that is an OCI layout and a Docker archive at once: the same blobs, listed by index.json
 * for the one and by manifest.json for the other. Manifests are the bytes that were pulled, so digests survive.
 */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import { type Digest, digestHex } from '../../shared/oci/digest.ts'
import { mediaTypes } from '../../shared/oci/media-types.ts'
import { normalisePlatform } from '../../shared/oci/platform.ts'
import { parseReference } from '../../shared/reference.ts'
import type { ImageRow } from '../state/images.ts'
import { type ArchivePart, writeArchive } from './archive-write.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { readManifest } from './documents.ts'
import { lookUpImage } from './find.ts'
import { familiarName } from './names.ts'

interface SavedImage {
  row: ImageRow
  manifestBytes: number
  platform: { os: string; architecture: string; variant?: string }
  /** Bottom up. */
  layers: Digest[]
  /** Canonical: those the image was asked for by. */
  names: string[]
}

/**
 * The same images give the same bytes. What is read is hashed on the way: a damaged blob ends the stream with an error.
 * @throws not_found and corrupt before the first byte, where an image or one of its blobs is missing
 */
export async function saveImages(context: ImageContext, names: readonly string[]): Promise<Readable> {
  const found = collectNames(context, names)
  const held = new Set(found.flatMap(({ row }) => [row.id, row.manifestDigest, ...digestsOf(context, row)]))
  const release = await context.memory.leases.hold(held)
  try {
    const images: SavedImage[] = []
    for (const { row, names: own } of found) images.push(await readSaved(context, row, own))
    const stream = writeArchive(await layOut(context, images))
    return stream.once('close', release)
  } catch (error) {
    release()
    throw error
  }
}

/** Each image once, however often it was named. */
function collectNames(context: ImageContext, texts: readonly string[]): { row: ImageRow; names: string[] }[] {
  const images = new Map<Digest, { row: ImageRow; names: string[] }>()
  for (const text of texts) {
    const found = lookUpImage(context, text)
    const image = images.get(found.row.id) ?? { row: found.row, names: [] }
    images.set(found.row.id, image)
    if (found.by === 'name' && !image.names.includes(found.name)) image.names.push(found.name)
  }
  return [...images.values()]
}

function digestsOf({ images }: ImageContext, row: ImageRow): Digest[] {
  return images.layers(row.id).map(({ digest }) => digest)
}

async function readSaved(context: ImageContext, row: ImageRow, names: string[]): Promise<SavedImage> {
  const { content } = context
  const manifest = await readManifest(context, row)
  const { os, architecture, variant } = normalisePlatform(await readImageConfig(context, row))
  const layers = manifest.layers.map(({ digest }) => digest)
  for (const digest of layers) {
    if (await content.has(digest)) continue
    throw new KagoError('corrupt', `image ${names[0] ?? row.id} is incomplete: layer ${digest} is missing`, {
      hint: 'pull it again',
    })
  }
  return {
    row,
    manifestBytes: await content.size(row.manifestDigest),
    platform: { architecture, os, ...(variant !== undefined && { variant }) },
    layers,
    names,
  }
}

async function layOut(context: ImageContext, images: readonly SavedImage[]): Promise<ArchivePart[]> {
  const digests = new Set(images.flatMap(({ row, layers }) => [row.manifestDigest, row.id, ...layers]))
  const blobs: ArchivePart[] = []
  for (const digest of [...digests].toSorted()) blobs.push(await blobPart(context, digest))
  return [
    json('oci-layout', { imageLayoutVersion: '1.0.0' }),
    json('index.json', {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: images.flatMap(descriptors),
    }),
    json('manifest.json', images.map(dockerItem)),
    { kind: 'directory', name: 'blobs' },
    { kind: 'directory', name: 'blobs/sha256' },
    ...blobs,
  ]
}

/** One for each name, as Docker and containerd have them; one without for an image saved by its id. */
function descriptors({ row, manifestBytes, platform, names }: SavedImage): object[] {
  const plain = { mediaType: row.manifestType, digest: row.manifestDigest, size: manifestBytes, platform }
  if (names.length === 0) return [plain]
  return names.map((name) => ({
    ...plain,
    annotations: {
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': parseReference(name).tag ?? '',
    },
  }))
}

function dockerItem({ row, layers, names }: SavedImage): object {
  return {
    Config: blobPath(row.id),
    RepoTags: names.length === 0 ? null : names.map(familiarName),
    Layers: layers.map(blobPath),
  }
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`
}

function json(name: string, value: unknown): ArchivePart {
  return { kind: 'bytes', name, bytes: Buffer.from(JSON.stringify(value)) }
}

async function blobPart({ content }: ImageContext, digest: Digest): Promise<ArchivePart> {
  return {
    kind: 'stream',
    name: blobPath(digest),
    size: await content.size(digest),
    open: () => verified(content.read(digest), digest),
  }
}

async function* verified(
  source: AsyncIterable<Buffer>,
  digest: Digest,
): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256')
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
  if (`sha256:${hash.digest('hex')}` === digest) return
  throw new KagoError('corrupt', `the bytes of ${digest} in the content store are damaged`, {
    hint: 'remove the image and pull it again',
    details: { digest },
  })
}
