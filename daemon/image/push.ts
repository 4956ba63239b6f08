/** Pushes images: the blobs that the registry lacks, then what lists them → the tag, last. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { PushedImage } from '../../shared/protocol/images.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { apiHost, parseReference } from '../../shared/reference.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'
import { familiarName, type ImageName, parseImageName, parseRepositoryName } from './names.ts'
import { pushBlobs } from './push-blobs.ts'
import { type PlannedDocument, planPush } from './push-plan.ts'

export interface PushOptions {
  credentials?: Credentials | undefined
  report: Report
  signal: AbortSignal
}

export interface PushRequest {
  /** A name with a tag; `latest` if it has none. */
  reference: string
  /** Every name of the repository that is here. */
  allTags?: boolean | undefined
}

/** One name and what it stands for. */
interface Item {
  name: ImageName
  row: ImageRow
  targetDigest: Digest
}

/**
 * The registry gets the bytes that were pulled or made, so the digest stays. What it has is not sent again, and what another
 * repository of it has is asked for there. Nothing changes here but that `repository@digest` is known.
 */
export async function pushImages(
  context: ImageContext,
  request: PushRequest,
  options: PushOptions,
): Promise<PushedImage[]> {
  const items = findItems(context, request)
  const [first] = items
  const target = request.allTags === true ? first?.name.familiarRepository : first?.name.familiar
  const release = await context.memory.leases.hold(items.flatMap((item) => digestsOf(context, item)))
  try {
    return await operate(
      context,
      { kind: 'image.push', target: target ?? request.reference, signal: options.signal },
      async (operation) => {
        const pushed: PushedImage[] = []
        const done = new Set<Digest>()
        for (const item of items) pushed.push(await pushItem(context, operation, item, done, options))
        return pushed
      },
    )
  } finally {
    release()
  }
}

function findItems({ images }: ImageContext, { reference, allTags = false }: PushRequest): Item[] {
  const name = allTags ? parseRepositoryName(reference) : parseImageName(reference)
  if (name.canonical === undefined) {
    throw new KagoError(
      'invalid_argument',
      `a push needs a name with a tag, not a digest: ${name.familiar}`,
      {
        hint: `name it first: kago tag ${name.familiar} ${name.familiarRepository}:TAG`,
      },
    )
  }
  const wanted = allTags ? namesOf(images, name) : [name.canonical]
  const items = wanted.flatMap((canonical) => {
    const found = images.findByName(canonical)
    return found ? [{ name: parseImageName(canonical), row: found, targetDigest: found.targetDigest }] : []
  })
  if (items.length > 0) return items
  const what = allTags
    ? `no image here is called ${name.familiarRepository}`
    : `no such image: ${name.familiar}`
  throw new KagoError('not_found', what, {
    hint: `give an image that name first: kago tag IMAGE ${name.familiar}`,
  })
}

function namesOf(images: ImageContext['images'], { repository }: ImageName): string[] {
  return images
    .names()
    .map(({ name }) => name)
    .filter((name) => parseImageName(name).repository === repository)
}

function digestsOf({ images }: ImageContext, { row, targetDigest }: Item): string[] {
  return [row.id, row.manifestDigest, targetDigest, ...images.layers(row.id).map(({ digest }) => digest)]
}

async function pushItem(
  context: ImageContext,
  operation: Operation,
  { name, row, targetDigest }: Item,
  done: Set<Digest>,
  options: PushOptions,
): Promise<PushedImage> {
  const { report, credentials, signal } = options
  const plan = await planPush(context, { row, targetDigest, what: name.familiar }, (digest) =>
    isThere(context, name, digest, options),
  )
  const top = plan.documents.at(-1)
  if (top === undefined) throw new KagoError('internal', `nothing to push for ${name.familiar}`)
  if (plan.missing > 0) {
    const message = `${name.familiar} is one of several images of an index; the others are not here, so it goes alone`
    report({ type: 'notice', message })
  }
  await pushBlobs(context, operation, name, plan.blobs, done, options)
  for (const document of plan.documents) {
    const isTop = document === top
    const { digest } = document
    const reference = isTop ? name.reference : { ...parseReference(`${name.repository}@${digest}`), digest }
    await operation.step(
      isTop ? 'write the name at the registry' : `push the manifest ${digest.slice(0, 19)}`,
      { by: 'PUT /v2/…/manifests', shell: manifestLine(context, name, document, isTop) },
      () =>
        context.registry.pushManifest(reference, document, {
          credentials,
          signal,
          onRetry: ({ reason, delayMs }) => {
            report({ type: 'notice', message: `${reason}; trying again in ${(delayMs / 1000).toFixed(1)} s` })
          },
        }),
    )
  }
  await operation.step('record where the image is', { by: 'kago.db' }, () => {
    context.images.addDigest(name.repository, top.digest, row.id)
  })
  context.events.publish({ type: 'image', action: 'push', name: name.familiar })
  return { reference: familiarName(name.canonical ?? ''), digest: top.digest, sizeBytes: top.bytes.length }
}

/** What the registry does not show is not there. */
async function isThere(
  { registry }: ImageContext,
  { reference }: ImageName,
  digest: Digest,
  { credentials, signal }: PushOptions,
): Promise<boolean> {
  const { registry: host, repository } = reference
  try {
    const found = await registry.headManifest({ registry: host, repository, digest }, { credentials, signal })
    return found?.digest === digest
  } catch (error) {
    if (isKagoError(error, 'not_found', 'permission_denied', 'unauthenticated')) return false
    throw error
  }
}

function manifestLine(
  { content }: ImageContext,
  { reference }: ImageName,
  { digest, mediaType }: PlannedDocument,
  isTop: boolean,
): string {
  const under = isTop ? (reference.tag ?? 'latest') : digest
  const url = `https://${apiHost(reference.registry)}/v2/${reference.repository}/manifests/${under}`
  const type = `content-type: ${mediaType}`
  return `curl -f -X PUT --oauth2-bearer "$TOKEN" ${quoteWords(['-H', type, '--data-binary', `@${content.path(digest)}`, url])}`
}
