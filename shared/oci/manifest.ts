/**
 * The two documents that lead to an image's bytes: an index lists a manifest per platform, a manifest lists a config and
 * layers. OCI image spec, image-index.md and manifest.md; Docker manifest v2, schema 2.
 */
import { KagoError } from '../errors.ts'
import type { Descriptor } from './descriptor.ts'
import { isDigest } from './digest.ts'
import { DocumentValue } from './document.ts'
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
  /** The lowest first. */
  layers: Descriptor[]
}

/** As many as Docker takes. */
export const layerLimit = 127
export const indexLimit = 4096

/**
 * Checks a parsed document and tells which of the two it is. `what` names the image.
 * `declared` is the media type it came with, if any: it and the document must agree (CVE-2021-41190).
 * Places where layers could be had besides the registry (`urls`) are left behind: CVE-2020-15157.
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
    throw new KagoError('corrupt', `${what} came as ${declared} and says of itself ${shown(mediaType)}`)
  if (type !== undefined && !isKnown(type))
    throw new KagoError('not_supported', `${what} is no image: its media type is ${shown(type)}`)
  if (type !== undefined && isIndexType(type) !== isIndex)
    throw new KagoError('corrupt', `${what} is not what its media type ${type} says`)
  return isIndex ? parseIndex(value, type, what) : parseManifest(value, type, what)
}

function parseIndex(value: unknown, type: string | undefined, what: string): Index {
  const document = new DocumentValue(value, `the index of ${what}`)
  checkVersion(document)
  return {
    kind: 'index',
    mediaType: type ?? mediaTypes.ociIndex,
    manifests: document.get('manifests').list(indexLimit).map(parseDescriptor),
  }
}

function parseManifest(value: unknown, type: string | undefined, what: string): Manifest {
  const document = new DocumentValue(value, `the manifest of ${what}`)
  checkVersion(document)
  const config = parseDescriptor(document.get('config'))
  if (config.mediaType !== mediaTypes.ociConfig && config.mediaType !== mediaTypes.dockerConfig) {
    const artifact = document.get('artifactType').optionalText(255) ?? config.mediaType
    throw new KagoError('not_supported', `${what} is no image but an artifact of type ${shown(artifact)}`, {
      hint: 'kago runs images; get artifacts with: oras pull',
    })
  }
  const layers = document.get('layers').list(layerLimit).map(parseDescriptor)
  const odd = layers.find((layer) => layerCompression(layer.mediaType) === undefined)
  if (odd !== undefined)
    throw new KagoError(
      'not_supported',
      `a layer of ${what} is of a type kago does not know: ${shown(odd.mediaType)}`,
    )
  return { kind: 'manifest', mediaType: type ?? mediaTypes.ociManifest, config, layers }
}

function parseDescriptor(value: DocumentValue): Descriptor {
  const [digest, size] = [value.get('digest'), value.get('size')]
  const name = digest.text()
  if (!isDigest(name)) throw digest.problem('must be a sha256 digest')
  if (size.integer() < 0) throw size.problem('must not be negative')
  const platform = parsePlatform(value.get('platform'))
  const annotations = value.get('annotations').optionalRecord((member) => member.text())
  const artifactType = value.get('artifactType').optionalText(255)
  return {
    mediaType: value.get('mediaType').text(255),
    digest: name,
    size: size.integer(),
    ...(platform && { platform }),
    ...(annotations && { annotations }),
    ...(artifactType && { artifactType }),
  }
}

function parsePlatform(value: DocumentValue): Platform | undefined {
  if (value.isAbsent()) return undefined
  const variant = value.get('variant').optionalText(100)
  const version = value.get('os.version').optionalText(100)
  return {
    os: value.get('os').text(100),
    architecture: value.get('architecture').text(100),
    ...(variant && { variant }),
    ...(version && { 'os.version': version }),
  }
}

function checkVersion(document: DocumentValue): void {
  const version = document.get('schemaVersion')
  if (version.integer() !== 2) throw version.problem('must be 2')
}

function examine(value: unknown): { mediaType: string | undefined; isIndex: boolean; isManifest: boolean } {
  if (typeof value !== 'object' || value === null)
    return { mediaType: undefined, isIndex: false, isManifest: false }
  return {
    mediaType: 'mediaType' in value && typeof value.mediaType === 'string' ? value.mediaType : undefined,
    isIndex: Object.hasOwn(value, 'manifests'),
    isManifest: Object.hasOwn(value, 'layers') || Object.hasOwn(value, 'config'),
  }
}

function isSchema1(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'schemaVersion' in value && value.schemaVersion === 1
}

function isKnown(type: string): boolean {
  return isIndexType(type) || isManifestType(type)
}

/** A stranger's text in an error: short, and nothing but visible ASCII. */
function shown(text: string): string {
  return text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?')
}
