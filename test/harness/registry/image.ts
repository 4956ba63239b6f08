/** Images made on the spot: layers from files or from bytes, a config, a manifest, and indexes of them. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { Descriptor } from '../../../shared/oci/descriptor.ts'
import type { Digest } from '../../../shared/oci/digest.ts'
import { type Compression, mediaTypes } from '../../../shared/oci/media-types.ts'
import { normalisePlatform, type Platform } from '../../../shared/oci/platform.ts'

export interface Blob {
  bytes: Buffer
  digest: Digest
  mediaType: string
  size: number
}

export interface TestImage {
  kind: 'image'
  manifest: Blob
  config: Blob
  layers: Blob[]
  diffIds: Digest[]
  platform: Platform
}

export interface TestIndex {
  kind: 'index'
  manifest: Blob
  images: (TestImage | TestIndex)[]
}

export interface FileEntry {
  /** A file's content; a string is UTF-8. */
  data?: string | Buffer
  mode?: number
  uid?: number
  gid?: number
  /** Seconds since 1970; 1700000000 unless told. */
  mtime?: number
  /** Instead of data: what it is. A link's target is in `to`. */
  type?: 'directory' | 'symlink' | 'link'
  to?: string
}

/** By name, without a leading slash: `{ 'bin/sh': { data, mode: 0o755 }, etc: { type: 'directory' }, hello: 'text' }`. */
export type Files = Record<string, FileEntry | string>

export interface ImageOptions {
  /** The lowest first: files, or the bytes of a tar archive. */
  layers: (Files | Buffer)[]
  /** The config's `config` object: Cmd, Env, … */
  config?: Record<string, unknown>
  /** Keys of the config document that replace what is made here, as `rootfs` or `architecture`. */
  document?: Record<string, unknown>
  /** The machine's own unless told. */
  platform?: Platform
  compression?: Compression
  mediaTypes?: 'oci' | 'docker'
  annotations?: Record<string, string>
}

export async function makeImage(options: ImageOptions): Promise<TestImage> {
  const { compression = 'gzip', mediaTypes: flavour = 'oci' } = options
  const platform = options.platform ?? normalisePlatform({ os: 'linux', architecture: process.arch })
  const tars = await Promise.all(
    options.layers.map(async (layer) => (Buffer.isBuffer(layer) ? layer : makeTar(layer))),
  )
  const diffIds = tars.map(digestOf)
  const layers = tars.map((tar) => makeBlob(compress(tar, compression), layerType(flavour, compression)))
  const config = makeJson(
    {
      created: '2024-01-01T00:00:00Z',
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant && { variant: platform.variant }),
      config: options.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map((_, index) => ({ created: '2024-01-01T00:00:00Z', created_by: `layer ${index}` })),
      ...options.document,
    },
    flavour === 'oci' ? mediaTypes.ociConfig : mediaTypes.dockerConfig,
  )
  const manifest = makeManifest(config, layers, flavour, options.annotations)
  return { kind: 'image', manifest, config, layers, diffIds, platform }
}

export function makeManifest(
  config: Blob,
  layers: Blob[],
  flavour: 'oci' | 'docker' = 'oci',
  annotations?: Record<string, string>,
): Blob {
  const mediaType = flavour === 'oci' ? mediaTypes.ociManifest : mediaTypes.dockerManifest
  return makeJson(
    {
      schemaVersion: 2,
      mediaType,
      config: describeBlob(config),
      layers: layers.map((layer) => describeBlob(layer)),
      ...(annotations && { annotations }),
    },
    mediaType,
  )
}

export interface IndexOptions {
  mediaTypes?: 'oci' | 'docker'
  /** More entries, as BuildKit's attestations. */
  more?: Descriptor[]
}

/** An index of images, or of indexes. */
export function makeIndex(images: (TestImage | TestIndex)[], options: IndexOptions = {}): TestIndex {
  const mediaType = options.mediaTypes === 'docker' ? mediaTypes.dockerManifestList : mediaTypes.ociIndex
  const manifests = images.map((image) => ({
    ...describeBlob(image.manifest),
    ...(image.kind === 'image' && { platform: image.platform }),
  }))
  const manifest = makeJson(
    { schemaVersion: 2, mediaType, manifests: [...manifests, ...(options.more ?? [])] },
    mediaType,
  )
  return { kind: 'index', manifest, images }
}

export async function makeTar(files: Files): Promise<Buffer> {
  const archive = pack()
  const chunks: Buffer[] = []
  archive.on('data', (chunk) => chunks.push(Buffer.from(chunk as Uint8Array)))
  const ended = once(archive, 'end')
  for (const [name, entry] of Object.entries(files)) {
    const described: FileEntry = typeof entry === 'string' ? { data: entry } : entry
    const { data = '', type, to, mode, uid = 0, gid = 0, mtime = 1_700_000_000 } = described
    const isDirectory = type === 'directory'
    archive.entry(
      {
        name: isDirectory ? `${name}/` : name,
        type: type ?? 'file',
        mode: mode ?? (isDirectory ? 0o755 : type === 'symlink' ? 0o777 : 0o644),
        uid,
        gid,
        mtime: new Date(mtime * 1000),
        ...(to !== undefined && { linkname: to }),
      },
      type === undefined ? data : '',
    )
  }
  archive.finalize()
  await ended
  return Buffer.concat(chunks)
}

export function makeBlob(bytes: Buffer, mediaType: string): Blob {
  return { bytes, digest: digestOf(bytes), mediaType, size: bytes.length }
}

export function makeJson(value: unknown, mediaType: string): Blob {
  return makeBlob(Buffer.from(JSON.stringify(value)), mediaType)
}

export function describeBlob({ mediaType, digest, size }: Blob): Descriptor {
  return { mediaType, digest, size }
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function compress(bytes: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(bytes, { level: 1 })
  return compression === 'zstd' ? zstdCompressSync(bytes) : bytes
}

function layerType(flavour: 'oci' | 'docker', compression: Compression): string {
  // Docker never had a type of its own for zstd.
  if (compression === 'zstd') return mediaTypes.ociLayerZstd
  if (flavour === 'docker')
    return compression === 'gzip' ? mediaTypes.dockerLayerGzip : mediaTypes.dockerLayer
  return compression === 'gzip' ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer
}
