/** Reads manifests, indexes and configs from content: small, and hashed again before they are believed. */
import { KagoError, isKagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { documentLimit, parseDocument } from '../../shared/oci/document.ts'
import { type Index, type Manifest, parseIndexOrManifest } from '../../shared/oci/manifest.ts'
import { shortId } from '../../shared/id.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'

/** @param what the image, for the message */
export async function readDocumentBytes(
  { content }: Pick<ImageContext, 'content'>,
  digest: Digest,
  what: string,
): Promise<Buffer> {
  try {
    return await content.readVerified(digest, documentLimit)
  } catch (error) {
    if (!isKagoError(error, 'not_found')) throw error
    throw new KagoError('corrupt', `${what} is incomplete: ${digest} is missing`, {
      hint: 'remove the image and pull it again',
      details: { digest },
      cause: error,
    })
  }
}

/** The manifest of an image that is here. */
export async function readManifest(context: Pick<ImageContext, 'content'>, row: ImageRow): Promise<Manifest> {
  const what = `image ${shortId(row.id)}`
  const document = await readIndexOrManifest(context, row.manifestDigest, row.manifestType, what)
  if (document.kind === 'manifest') return document
  throw new KagoError('corrupt', `${what} has an index where its manifest should be`)
}

export async function readIndexOrManifest(
  context: Pick<ImageContext, 'content'>,
  digest: Digest,
  mediaType: string | undefined,
  what: string,
): Promise<Index | Manifest> {
  return parseIndexOrManifest(
    parseDocument(await readDocumentBytes(context, digest, what), what),
    mediaType,
    what,
  )
}
