/**
 * The two documents that lead to an image's bytes: an index lists a manifest per platform, a manifest lists a config and
 * layers. OCI image spec, image-index.md and manifest.md; Docker manifest v2, schema 2.
 */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { KagoError } from '../errors.ts'
import type { Descriptor } from './descriptor.ts'
import type { Digest } from './digest.ts'
import { firstProblem } from './document.ts'
import { isIndexType, isManifestType, layerCompression, mediaTypes } from './media-types.ts'
import type { Platform } from './platform.ts'

export interface Index {
  kind: 'index'
  mediaType: string
  manifests: Descriptor[]
}

export interface Manifest {
  kind: 'manifest'
  mediaType: string
  config: Descriptor
  layers: Descriptor[]
}

const Text = Type.Union([Type.String(), Type.Null()])

const DescriptorSchema = Type.Object({
  mediaType: Type.String({ maxLength: 255 }),
  digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
  size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  annotations: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  artifactType: Type.Optional(Text),
  platform: Type.Optional(
    Type.Union([
      Type.Object({
        os: Type.String({ maxLength: 100 }),
        architecture: Type.String({ maxLength: 100 }),
        variant: Type.Optional(Text),
        'os.version': Type.Optional(Text),
      }),
      Type.Null(),
    ]),
  ),
})

const Common = {
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Text),
  artifactType: Type.Optional(Text),
}

const indexSchema = Compile(
  Type.Object({ ...Common, manifests: Type.Array(DescriptorSchema, { maxItems: 10_000 }) }),
)
const manifestSchema = Compile(
  Type.Object({
    ...Common,
    config: DescriptorSchema,
    layers: Type.Array(DescriptorSchema, { maxItems: 1000 }),
  }),
)

/**
 * Checks a parsed document and tells which of the two it is. `what` names the image.
 * `declared` is the media type it came with, if any: it and the document must agree (CVE-2021-41190).
 * @throws not_supported for schema 1 and artifacts; corrupt for what is neither an index nor a manifest, or both.
 */
export function parseIndexOrManifest(
  value: unknown,
  declared: string | undefined,
  what: string,
): Index | Manifest {
  const { mediaType, isIndex, isManifest } = examine(value)
  // Servers of plain files say application/json or worse: only a vendor's type says something.
  const type = mediaType ?? (declared?.includes('vnd.') ? declared : undefined)
  if (type === mediaTypes.dockerManifestV1 || type === mediaTypes.dockerManifestV1Signed || isSchema1(value))
    throw new KagoError('not_supported', `${what} is in Docker's old image format (schema 1)`, {
      hint: 'ask its owner to push it again with a current tool',
    })
  if (isIndex && isManifest)
    throw new KagoError('corrupt', `${what} claims to be an index and a manifest at once`)
  if (mediaType !== undefined && declared !== undefined && isKnown(declared) && mediaType !== declared)
    throw new KagoError('corrupt', `${what} came as ${declared} and says of itself ${mediaType}`)
  if (type !== undefined && !isKnown(type))
    throw new KagoError('not_supported', `${what} is no image: its media type is ${type}`)
  if (type !== undefined && isIndexType(type) !== isIndex)
    throw new KagoError('corrupt', `${what} is not what its media type ${type} says`)
  return isIndex ? parseIndex(value, type, what) : parseManifest(value, type, what)
}

function parseIndex(value: unknown, type: string | undefined, what: string): Index {
  if (!indexSchema.Check(value))
    throw new KagoError('corrupt', `the index of ${what} is not valid: ${firstProblem(indexSchema, value)}`)
  return {
    kind: 'index',
    mediaType: type ?? mediaTypes.ociIndex,
    manifests: value.manifests.map(toDescriptor),
  }
}

function parseManifest(value: unknown, type: string | undefined, what: string): Manifest {
  if (!manifestSchema.Check(value))
    throw new KagoError(
      'corrupt',
      `the manifest of ${what} is not valid: ${firstProblem(manifestSchema, value)}`,
    )
  const config = toDescriptor(value.config)
  const artifact = value.artifactType ?? config.mediaType
  if (config.mediaType !== mediaTypes.ociConfig && config.mediaType !== mediaTypes.dockerConfig)
    throw new KagoError('not_supported', `${what} is no image but an artifact of type ${artifact}`, {
      hint: 'kago runs images; get artifacts with: oras pull',
    })
  const layers = value.layers.map(toDescriptor)
  const odd = layers.find((layer) => layerCompression(layer.mediaType) === undefined)
  if (odd !== undefined)
    throw new KagoError(
      'not_supported',
      `a layer of ${what} is of a type kago does not know: ${odd.mediaType}`,
    )
  return { kind: 'manifest', mediaType: type ?? mediaTypes.ociManifest, config, layers }
}

function examine(value: unknown): { mediaType: string | undefined; isIndex: boolean; isManifest: boolean } {
  if (typeof value !== 'object' || value === null)
    return { mediaType: undefined, isIndex: false, isManifest: false }
  return {
    mediaType: 'mediaType' in value && typeof value.mediaType === 'string' ? value.mediaType : undefined,
    isIndex: 'manifests' in value,
    isManifest: 'layers' in value || 'config' in value,
  }
}

function isSchema1(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'schemaVersion' in value && value.schemaVersion === 1
}

function isKnown(type: string): boolean {
  return isIndexType(type) || isManifestType(type)
}

function toDescriptor(value: Type.Static<typeof DescriptorSchema>): Descriptor {
  const { mediaType, digest, size, platform, annotations, artifactType } = value
  return {
    mediaType,
    // The schema's pattern is that of a digest.
    digest: digest as Digest,
    size,
    ...(platform && { platform: toPlatform(platform) }),
    ...(annotations && { annotations }),
    ...(artifactType && { artifactType }),
  }
}

function toPlatform(value: {
  os: string
  architecture: string
  variant?: string | null
  'os.version'?: string | null
}): Platform {
  return {
    os: value.os,
    architecture: value.architecture,
    ...(value.variant && { variant: value.variant }),
    ...(value['os.version'] && { 'os.version': value['os.version'] }),
  }
}
