/**
 * What this machine's images look like to those who pull from it. A repository is called as in kago, its registry's host in
 * front: `quay.io/team/app`, `localhost/busybox`; Docker Hub's need none: `library/alpine`. A port is put as `_5000`, since
 * a path cannot have a colon in it.
 */
import { isKagoError } from '../../shared/errors.ts'
import { type Digest, isDigest } from '../../shared/oci/digest.ts'
import { documentLimit } from '../../shared/oci/document.ts'
import { isIndexType } from '../../shared/oci/media-types.ts'
import { defaultRegistry, parseReference } from '../../shared/reference.ts'
import type { ImageContext } from './context.ts'
import { readIndexOrManifest } from './documents.ts'
import { type ImageName, tryParseImageName } from './names.ts'

export interface OfferedDocument {
  digest: Digest
  mediaType: string
  bytes: Buffer
}

/**
 * The manifest or index of a tag or digest; undefined when there is none here. A tag stands for the index it was pulled by,
 * though not all that it lists may be here; who does not take an index gets this machine's manifest.
 */
export async function offerManifest(
  context: ImageContext,
  path: string,
  reference: string,
  { takesIndex }: { takesIndex: boolean },
): Promise<OfferedDocument | undefined> {
  if (isDigest(reference)) return await readOffered(context, reference)
  const { canonical } = nameOf(`${path}:${reference}`) ?? {}
  const row = canonical === undefined ? undefined : context.images.findByName(canonical)
  if (row === undefined) return undefined
  const target = await readOffered(context, row.targetDigest)
  if (target !== undefined && (takesIndex || !isIndexType(target.mediaType))) return target
  return await readOffered(context, row.manifestDigest)
}

/** The tags of a repository, in order; undefined where there is none of that name. */
export function offerTags({ images }: ImageContext, path: string): string[] | undefined {
  const repository = nameOf(path)?.repository
  const tags = images
    .names()
    .map(({ name }) => parseReference(name))
    .flatMap(({ registry, repository: below, tag }) =>
      `${registry}/${below}` === repository && tag !== undefined ? [tag] : [],
    )
  return tags.length === 0 ? undefined : tags.toSorted(byText)
}

/** Every repository that has a name here, in order. */
export function offerRepositories({ images }: ImageContext): string[] {
  const paths = images.names().map(({ name }) => pathOf(parseReference(name)))
  return [...new Set(paths)].toSorted(byText)
}

/** The path under which a registry's repository is offered. */
export function pathOf({ registry, repository }: { registry: string; repository: string }): string {
  return registry === defaultRegistry ? repository : `${registry.replace(/:(\d+)$/, '_$1')}/${repository}`
}

/** Bytes that are a manifest or an index; anything else that has the digest is none. */
async function readOffered(context: ImageContext, digest: Digest): Promise<OfferedDocument | undefined> {
  const { content } = context
  if (!(await content.has(digest)) || (await content.size(digest)) > documentLimit) return undefined
  try {
    const { mediaType } = await readIndexOrManifest(context, digest, undefined, 'what is asked for')
    return { digest, mediaType, bytes: await content.readVerified(digest, documentLimit) }
  } catch (error) {
    if (isKagoError(error, 'corrupt', 'not_supported')) return undefined
    throw error
  }
}

function nameOf(text: string): ImageName | undefined {
  return tryParseImageName(text.replace(/^([^/:]+)_(\d{1,5})\//, '$1:$2/'))
}

function byText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
