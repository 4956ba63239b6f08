/** Pulls an image: name → index → manifest → config → layers, each unpacked as soon as it is there → the name, last. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import { formatPlatform, parsePlatform, runsOn } from '../../shared/oci/platform.ts'
import type { PulledImage } from '../../shared/protocol/images.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { apiHost } from '../../shared/reference.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import type { ImageRow } from '../state/images.ts'
import { addImage, hasLayers } from './add-image.ts'
import { collectBlobs } from './collect.ts'
import type { ImageContext } from './context.ts'
import { type ImageName, parseImageName } from './names.ts'
import { PullSource } from './pull-source.ts'

export interface PullOptions {
  credentials?: Credentials | undefined
  report: Report
  signal: AbortSignal
}

export interface PullRequest {
  /** A name, with a tag or digest or neither. */
  reference: string
  /** `linux/arm64`; the machine's own if not given. */
  platform?: string | undefined
}

/**
 * An image that is here and unchanged costs one HEAD, by digest nothing. Two pulls of an image share its layers' work.
 * A cancelled or interrupted pull leaves bytes that the next one goes on from, and nothing else.
 */
export async function pullImage(
  context: ImageContext,
  request: PullRequest,
  options: PullOptions,
): Promise<PulledImage> {
  const name = parseImageName(request.reference)
  const platform = request.platform === undefined ? undefined : parsePlatform(request.platform)
  const source = new PullSource(context, name, platform, options)
  try {
    return await operate(
      context,
      { kind: 'image.pull', target: name.familiar, signal: options.signal },
      (operation) => pull(context, operation, name, source, options),
    )
  } catch (error) {
    source.release()
    // What a second try can go on from stays; what made this one fail does not.
    if (!isKagoError(error, 'cancelled', 'unavailable', 'timed_out', 'unauthenticated', 'permission_denied'))
      await collectBlobs(context, source.digests)
    throw error
  } finally {
    source.release()
  }
}

async function pull(
  context: ImageContext,
  operation: Operation,
  name: ImageName,
  source: PullSource,
  { report, signal }: PullOptions,
): Promise<PulledImage> {
  const here = findHere(context, name)
  const isUsable = here !== undefined && source.suits(here.row) && (await isWhole(context, here.row))
  const current = here && name.digest === undefined ? await askForChange(operation, name, source) : undefined
  if (isUsable && (current ?? name.digest) === here.targetDigest) {
    report({ type: 'resolved', reference: name.familiar, digest: here.targetDigest })
    return { reference: name.familiar, digest: here.targetDigest, id: here.row.id, upToDate: true }
  }

  const top = await source.fetchTop(operation, current)
  report({
    type: 'resolved',
    reference: name.familiar,
    digest: top.digest,
    ...(top.rateLimit && { rateLimit: top.rateLimit }),
  })
  const { manifest, manifestDigest } = await source.fetchManifest(operation, top)
  const config = await source.fetchConfig(operation, manifest)
  checkPlatform(context, name, source, config, report)
  const { id, wasHere } = await addImage(
    context,
    operation,
    {
      what: name.familiar,
      manifest,
      manifestDigest,
      config,
      targetDigest: top.digest,
      names: name.canonical === undefined ? [] : [name.canonical],
      repository: name.repository,
      source: (layer) => source.blob({ digest: layer.digest, size: layer.blobBytes }),
      fetchedBy: {
        by: 'GET /v2/…/blobs',
        shell: ({ digest }) => blobLine(context, name, digest),
      },
    },
    { report, signal },
  )
  context.events.publish({ type: 'image', action: 'pull', name: name.familiar })
  const wasNamed = here?.row.id === id && here.targetDigest === top.digest
  return { reference: name.familiar, digest: top.digest, id, upToDate: wasHere && wasNamed }
}

function findHere(
  { images }: ImageContext,
  { canonical, repository, digest }: ImageName,
): { row: ImageRow; targetDigest: Digest } | undefined {
  if (canonical !== undefined) {
    const row = images.findByName(canonical)
    return row && { row, targetDigest: row.targetDigest }
  }
  const row = digest && images.findByRepositoryDigest(repository, digest)
  return row && digest && { row, targetDigest: digest }
}

async function isWhole(context: ImageContext, row: ImageRow): Promise<boolean> {
  const { content, images } = context
  const hasDocuments = (await content.has(row.id)) && (await content.has(row.manifestDigest))
  return hasDocuments && (await hasLayers(context, images.layers(row.id)))
}

/** What the name stands for now. */
async function askForChange(
  operation: Operation,
  name: ImageName,
  source: PullSource,
): Promise<Digest | undefined> {
  return await operation.step(
    'ask whether the image has changed',
    {
      by: 'HEAD /v2/…/manifests',
      shell: quoteWords(['skopeo', 'inspect', '--format', '{{.Digest}}', `docker://${name.familiar}`]),
    },
    () => source.head(),
  )
}

/** A manifest without an index offers no choice: what it is made for is an error if another was asked for, else a notice. */
function checkPlatform(
  { platform: own }: ImageContext,
  name: ImageName,
  { platform: wanted }: PullSource,
  config: ImageConfig,
  report: Report,
): void {
  if (runsOn(config, wanted ?? own)) return
  const made = formatPlatform(config)
  if (wanted !== undefined) {
    throw new KagoError('not_found', `${name.familiar} is not made for ${formatPlatform(wanted)}`, {
      hint: `it is made for ${made} only`,
    })
  }
  const message = `${name.familiar} is made for ${made}, and this machine is ${formatPlatform(own)}`
  report({ type: 'notice', message })
}

function blobLine({ content }: ImageContext, { reference }: ImageName, digest: Digest): string {
  const url = `https://${apiHost(reference.registry)}/v2/${reference.repository}/blobs/${digest}`
  return `curl -fL --oauth2-bearer "$TOKEN" ${quoteWords(['-o', content.path(digest), url])}`
}
