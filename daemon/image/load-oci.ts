/** Finds the images in an OCI layout. OCI image spec, image-layout.md. */
import { isKagoError, KagoError, toKagoError } from '../../shared/errors.ts'
import type { Descriptor } from '../../shared/oci/descriptor.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { parseDocument } from '../../shared/oci/document.ts'
import { parseImageConfig } from '../../shared/oci/image-config.ts'
import { type Manifest, parseIndexOrManifest } from '../../shared/oci/manifest.ts'
import { choosePlatform } from '../../shared/oci/platform.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import { blobName } from './archive-intake.ts'
import type { ImageContext } from './context.ts'
import { readDocumentBytes, readIndexOrManifest } from './documents.ts'
import type { LoadedImage } from './loaded-image.ts'

/** An index of indexes of indexes: more is nobody's honest work. */
const maxDepth = 4

/**
 * @param index the bytes of index.json; every blob of the archive is in content
 * @throws what is wrong with the first image, if there is none that can be loaded; otherwise the others are notices
 */
export async function findOciImages(
  context: ImageContext,
  index: Buffer,
  report: Report,
): Promise<LoadedImage[]> {
  const what = 'the archive'
  const document = parseIndexOrManifest(parseDocument(index, `index.json of ${what}`), undefined, what)
  if (document.kind !== 'index') throw new KagoError('corrupt', 'index.json of the archive is no index')
  const images = new Map<Digest, LoadedImage>()
  const failures: KagoError[] = []
  for (const descriptor of document.manifests) {
    if (isAttestation(descriptor)) continue
    try {
      const image = await readImage(context, descriptor)
      const before = images.get(image.manifestDigest)
      if (before === undefined) images.set(image.manifestDigest, image)
      else before.names.push(...image.names)
    } catch (error) {
      if (!isKagoError(error, 'not_supported', 'not_found')) throw error
      failures.push(toKagoError(error))
    }
  }
  const [first] = failures
  if (images.size === 0 && first !== undefined) throw first
  for (const failure of failures) report({ type: 'notice', message: `not loaded: ${failure.message}` })
  return [...images.values()]
}

async function readImage(context: ImageContext, top: Descriptor): Promise<LoadedImage> {
  const what = 'the archive'
  const { manifest, digest } = await findManifest(context, top, what, 0)
  const bytes = await readBlob(context, manifest.config.digest, what)
  const config = parseImageConfig(parseDocument(bytes, `the config of ${what}`), what)
  for (const layer of manifest.layers) {
    if (!(await context.content.has(layer.digest))) throw lacks(layer.digest)
  }
  return { manifest, manifestDigest: digest, config, targetDigest: top.digest, names: namesOf(top) }
}

async function findManifest(
  context: ImageContext,
  descriptor: Descriptor,
  what: string,
  depth: number,
): Promise<{ manifest: Manifest; digest: Digest }> {
  if (depth > maxDepth)
    throw new KagoError('corrupt', `${what} has indexes inside indexes, more than ${maxDepth} deep`)
  const { digest, mediaType } = descriptor
  if (!(await context.content.has(digest))) throw lacks(digest)
  const document = await readIndexOrManifest(context, digest, mediaType, what)
  if (document.kind === 'manifest') return { manifest: document, digest }
  // An archive of one platform often carries the index of all.
  const present: Descriptor[] = []
  for (const each of document.manifests) if (await context.content.has(each.digest)) present.push(each)
  if (present.length === 0)
    throw new KagoError('corrupt', `${what} has an index and none of the images it lists`)
  return await findManifest(context, chooseFrom(context, present, what), what, depth + 1)
}

/** The machine's own platform, or the only one there is. */
function chooseFrom({ platform }: ImageContext, present: Descriptor[], what: string): Descriptor {
  const images = present.filter((each) => !isAttestation(each))
  const [only, other] = images
  return only !== undefined && other === undefined ? only : choosePlatform(images, platform, what)
}

async function readBlob(context: ImageContext, digest: Digest, what: string): Promise<Buffer> {
  if (!(await context.content.has(digest))) throw lacks(digest)
  return await readDocumentBytes(context, digest, what)
}

function isAttestation({ annotations, platform }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] !== undefined || platform?.os === 'unknown'
}

/** Docker and containerd write the whole name; others put it, or only a tag, where the specification has a "reference". */
function namesOf({ annotations = {} }: Descriptor): string[] {
  const whole = annotations['io.containerd.image.name']
  if (whole !== undefined) return [whole]
  const reference = annotations['org.opencontainers.image.ref.name']
  return reference !== undefined && /[:/]/.test(reference) ? [reference] : []
}

function lacks(digest: Digest): KagoError {
  return new KagoError('corrupt', `the archive is incomplete: it lacks ${blobName(digest)}`, {
    details: { digest },
  })
}
