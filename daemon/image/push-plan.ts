/** Finds out what a push has to bring: the documents as they were pulled, and the blobs they list. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { parseDocument } from '../../shared/oci/document.ts'
import { type Index, type Manifest, parseIndexOrManifest } from '../../shared/oci/manifest.ts'
import { mediaTypes } from '../../shared/oci/media-types.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'
import { readDocumentBytes } from './documents.ts'

export interface PlannedDocument {
  digest: Digest
  mediaType: string
  bytes: Buffer
}

export interface PlannedBlob {
  digest: Digest
  size: number
  kind: 'config' | 'layer'
  /** To be had elsewhere, and not for anybody to pass on. */
  isLeftOut: boolean
}

export interface PushPlan {
  /** In the order in which they can be stored: what lists others after them, the one that the name stands for last. */
  documents: PlannedDocument[]
  blobs: PlannedBlob[]
  /** How many images the index lists that are neither here nor there: it is left behind, and its image goes alone. */
  missing: number
}

const maxDepth = 4

const foreignTypes: readonly string[] = [
  mediaTypes.dockerLayerForeignGzip,
  mediaTypes.ociLayerNondistributable,
  mediaTypes.ociLayerNondistributableGzip,
]

/**
 * An index goes as it is if all that it lists is here or at the registry already; else this machine's image of it goes.
 * @param isThere whether the repository has a manifest
 * @throws corrupt when a part of the image is missing here
 */
export async function planPush(
  context: ImageContext,
  image: { row: ImageRow; targetDigest: Digest; what: string },
  isThere: (digest: Digest) => Promise<boolean>,
): Promise<PushPlan> {
  const { row, targetDigest, what } = image
  if (targetDigest !== row.manifestDigest && (await context.content.has(targetDigest))) {
    const whole: PushPlan = { documents: [], blobs: [], missing: 0 }
    await addDocument(context, whole, { digest: targetDigest, mediaType: undefined }, what, isThere, 0)
    if (whole.missing === 0) return whole
    const alone = await planManifest(context, row, what)
    return { ...alone, missing: whole.missing }
  }
  return await planManifest(context, row, what)
}

async function planManifest(context: ImageContext, row: ImageRow, what: string): Promise<PushPlan> {
  const plan: PushPlan = { documents: [], blobs: [], missing: 0 }
  const bytes = await readDocumentBytes(context, row.manifestDigest, what)
  const manifest = parse(bytes, row.manifestType, what)
  if (manifest.kind === 'index')
    throw new KagoError('corrupt', `${what} has an index where its manifest should be`)
  const blobs = blobsOf(manifest, bytes)
  for (const { digest, isLeftOut } of blobs) {
    if (isLeftOut || (await context.content.has(digest))) continue
    throw new KagoError('corrupt', `${what} is incomplete: ${digest} is missing`, {
      hint: 'pull it again',
      details: { digest },
    })
  }
  plan.documents.push({ digest: row.manifestDigest, mediaType: row.manifestType, bytes })
  plan.blobs.push(...blobs)
  return plan
}

/** What is listed goes before what lists it. Ends at the first that is nowhere: an index with a hole is of no use. */
async function addDocument(
  context: ImageContext,
  plan: PushPlan,
  { digest, mediaType }: { digest: Digest; mediaType: string | undefined },
  what: string,
  isThere: (digest: Digest) => Promise<boolean>,
  depth: number,
): Promise<void> {
  if (plan.documents.some((document) => document.digest === digest)) return
  const found = depth > maxDepth ? undefined : await readWhole(context, digest, mediaType, what)
  if (found === undefined) {
    if (!(await isThere(digest))) plan.missing += 1
    return
  }
  const { document, bytes } = found
  if (document.kind === 'index') {
    for (const entry of document.manifests) {
      await addDocument(context, plan, entry, what, isThere, depth + 1)
      if (plan.missing > 0) return
    }
  } else plan.blobs.push(...blobsOf(document, bytes))
  plan.documents.push({ digest, mediaType: document.mediaType, bytes })
}

/** A document of which all the bytes are here; undefined otherwise, and for one that is no image. */
async function readWhole(
  context: ImageContext,
  digest: Digest,
  mediaType: string | undefined,
  what: string,
): Promise<{ document: Index | Manifest; bytes: Buffer } | undefined> {
  if (!(await context.content.has(digest))) return undefined
  const bytes = await readDocumentBytes(context, digest, what)
  let document: Index | Manifest
  try {
    document = parse(bytes, mediaType, what)
  } catch (error) {
    if (isKagoError(error, 'not_supported', 'corrupt')) return undefined
    throw error
  }
  if (document.kind === 'index') return { document, bytes }
  for (const blob of blobsOf(document, bytes))
    if (!blob.isLeftOut && !(await context.content.has(blob.digest))) return undefined
  return { document, bytes }
}

function parse(bytes: Buffer, mediaType: string | undefined, what: string): Index | Manifest {
  return parseIndexOrManifest(parseDocument(bytes, `the manifest of ${what}`), mediaType, what)
}

function blobsOf(manifest: Manifest, bytes: Buffer): PlannedBlob[] {
  const elsewhere = digestsWithUrls(bytes)
  const { config, layers } = manifest
  return [
    ...layers.map(({ digest, size, mediaType }) => ({
      digest,
      size,
      kind: 'layer' as const,
      isLeftOut: foreignTypes.includes(mediaType) && elsewhere.has(digest),
    })),
    { digest: config.digest, size: config.size, kind: 'config', isLeftOut: false },
  ]
}

/** Of layers that say where else they are to be had; nobody goes there, see parseIndexOrManifest. */
function digestsWithUrls(bytes: Buffer): Set<unknown> {
  const value: unknown = JSON.parse(bytes.toString('utf8'))
  const layers = typeof value === 'object' && value !== null && 'layers' in value ? value.layers : []
  const found = new Set<unknown>()
  for (const layer of Array.isArray(layers) ? (layers as unknown[]) : []) {
    if (typeof layer !== 'object' || layer === null || !('digest' in layer) || !('urls' in layer)) continue
    if (Array.isArray(layer.urls) && layer.urls.length > 0) found.add(layer.digest)
  }
  return found
}
