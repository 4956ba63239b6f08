/** Makes an image of this machine's own: layers at hand and a config, with the documents that an image of a registry has. */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import { layerLimit, type Manifest } from '../../shared/oci/manifest.ts'
import { type Compression, layerCompression, mediaTypes } from '../../shared/oci/media-types.ts'
import { readChunks } from '../content/read-chunks.ts'
import { fileError, removeTree } from '../host/files.ts'
import type { Operation } from '../operation/operation.ts'
import { addImage } from './add-image.ts'
import { scratchPrefix } from './archive-intake.ts'
import type { ImageContext } from './context.ts'
import type { JoinOptions } from './layer-work.ts'
import { familiarName, parseImageName } from './names.ts'

export interface BaseLayer {
  digest: Digest
  mediaType: string
  blobBytes: number
}

/** A layer's bytes in a file; `digest` is theirs, `diffId` that of the archive in them. */
export interface NewLayer {
  path: string
  digest: Digest
  diffId: Digest
  size: number
  compression: Compression
}

export interface ImageToMake {
  /** In content, the lowest first; `config.rootfs` names their diffIDs. */
  base: readonly BaseLayer[]
  layer: NewLayer
  /** The new layer's diffID is not in it yet. */
  config: ImageConfig
  /** Canonical. */
  name: string | undefined
}

const layerTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
} as const

/** A name for a new image, canonical. @throws invalid_argument */
export function parseNewName(text: string): string {
  const { canonical } = parseImageName(text)
  if (canonical !== undefined) return canonical
  throw new KagoError('invalid_argument', `a new image cannot be called by a digest: ${text}`)
}

/** @throws exhausted when there is one layer too many */
export async function makeImage(
  context: ImageContext,
  operation: Operation,
  { base, layer, config, name }: ImageToMake,
  options: JoinOptions,
): Promise<Digest> {
  const { content, memory } = context
  if (base.length >= layerLimit) {
    throw new KagoError('exhausted', `an image has ${layerLimit} layers at most`, {
      hint: 'make one layer of all: kago export CONTAINER | kago import - NAME',
    })
  }
  const whole = {
    ...config,
    rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, layer.diffId] },
  }
  const release = await memory.leases.hold([layer.digest, ...base.map(({ digest }) => digest)])
  try {
    await operation.step('store the layer', { by: 'sha256' }, () =>
      content.ingest(layer, (offset) => from(layer.path, offset), { signal: options.signal }),
    )
    const manifest: Manifest = {
      kind: 'manifest',
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, ...(await store(context, whole)) },
      layers: [
        ...base.map(({ digest, mediaType, blobBytes }) => ({
          mediaType: layerTypes[layerCompression(mediaType) ?? 'gzip'],
          digest,
          size: blobBytes,
        })),
        { mediaType: layerTypes[layer.compression], digest: layer.digest, size: layer.size },
      ],
    }
    const { mediaType, config: configDescriptor, layers } = manifest
    const document = { schemaVersion: 2, mediaType, config: configDescriptor, layers }
    const { digest: manifestDigest } = await store(context, document)
    const image = {
      what: name === undefined ? 'the new image' : familiarName(name),
      manifest,
      manifestDigest,
      config: whole,
      targetDigest: manifestDigest,
      names: name === undefined ? [] : [name],
      source: () => () => {
        throw new KagoError('corrupt', 'a layer of the image is not here any more')
      },
      fetchedBy: { by: 'kagod', shell: () => undefined },
    }
    return (await addImage(context, operation, image, options)).id
  } finally {
    release()
  }
}

/** Runs `work` with a directory that is gone afterwards, or at the daemon's next start. */
export async function withScratch<T>(
  { dataRoot }: Pick<ImageContext, 'dataRoot'>,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = join(dataRoot, `${scratchPrefix}${randomUUID()}`)
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    throw fileError(error, `cannot make ${directory}`)
  }
  try {
    return await work(directory)
  } finally {
    await removeTree(directory)
  }
}

async function store({ content }: ImageContext, document: object): Promise<{ digest: Digest; size: number }> {
  const bytes = Buffer.from(JSON.stringify(document))
  return { digest: await content.write(bytes), size: bytes.length }
}

async function* from(path: string, offset: number): AsyncGenerator<Buffer, void, undefined> {
  let skip = offset
  for await (const chunk of readChunks(path, () => new KagoError('internal', `${path} is gone`))) {
    if (skip < chunk.length) yield Buffer.from(chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
}
