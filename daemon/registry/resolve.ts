/** From a name to the verified bytes of its index or manifest. */
import { createHash } from 'node:crypto'
import type { Descriptor } from '../../shared/oci/descriptor.ts'
import { type Digest, isDigest } from '../../shared/oci/digest.ts'
import { documentLimit } from '../../shared/oci/document.ts'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { mediaTypes } from '../../shared/oci/media-types.ts'
import {
  familiarReference,
  familiarRepository,
  type Reference,
  type Repository,
} from '../../shared/reference.ts'
import { ask, type Question } from './ask.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import { refusalFailure } from './diagnostics.ts'
import { printable } from './printable.ts'
import { type RateLimit, rateLimitOf } from './rate-limit.ts'
import { type RetryNotice, retrying, throwIfAborted, Transient } from './retry.ts'
import { readCapped } from './read.ts'
import type { Response } from './transport.ts'

/** An index or manifest: its bytes are those of its digest. */
export interface ResolvedDocument {
  digest: Digest
  /** What it came as, without parameters; to be compared with what the document says of itself. */
  mediaType: string
  size: number
  bytes: Uint8Array
  /** As the registry told it with this answer. */
  rateLimit?: RateLimit
}

export interface ResolveOptions extends CallOptions {
  onRetry?: ((notice: RetryNotice) => void) | undefined
}

const accept = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.dockerManifest,
].join(', ')

/** The index or manifest that a reference names; by its digest if it has one. */
export async function resolveReference(
  context: RegistryContext,
  reference: Reference,
  options: ResolveOptions,
): Promise<ResolvedDocument> {
  const what = familiarReference(reference)
  const name = reference.digest ?? reference.tag ?? 'latest'
  const action = async (endpoint: Endpoint) =>
    await getDocument(context, endpoint, reference, { name, digest: reference.digest, what }, options)
  return await fromAnyEndpoint(context, reference, options, action, reference.digest !== undefined)
}

/**
 * What a reference names now, without fetching it: HEAD does not count against Docker Hub's limit.
 * Falls back to GET where HEAD is not understood or says too little. Mirrors are not asked: their answer may be old.
 * Undefined when the registry has no such manifest, or does not show it.
 */
export async function headReference(
  context: RegistryContext,
  reference: Reference,
  options: ResolveOptions,
): Promise<Descriptor | undefined> {
  const what = familiarReference(reference)
  const name = reference.digest ?? reference.tag ?? 'latest'
  const endpoint = context.mirrors.origin(reference.registry)
  return await retrying(context.retry, options.signal, options.onRetry, async () => {
    const response = await ask(context, endpoint, questionOf('HEAD', reference, name, what), options)
    await response.drain()
    const head = response.status === 200 ? describe(response) : undefined
    if (head !== undefined && (reference.digest ?? head.digest) === head.digest) return head
    try {
      const target = { name, digest: reference.digest, what }
      const { digest, mediaType, size } = await getDocument(context, endpoint, reference, target, options)
      return { digest, mediaType, size }
    } catch (error) {
      if (isKagoError(error, 'not_found')) return undefined
      throw error
    }
  })
}

/** The bytes of a manifest that an index lists: of its digest and size. */
export async function fetchDocument(
  context: RegistryContext,
  repository: Repository,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  options: ResolveOptions,
): Promise<Uint8Array> {
  const { digest, size } = descriptor
  const what = `${familiarRepository(repository)}@${digest}`
  if (size > documentLimit)
    throw new KagoError('corrupt', `the manifest ${what} is larger than ${documentLimit / 1024 / 1024} MiB`)
  const action = async (endpoint: Endpoint) => {
    const target = { name: digest, digest, what }
    const { bytes } = await getDocument(context, endpoint, repository, target, options)
    if (bytes.length === size) return bytes
    throw new KagoError('corrupt', `the manifest ${what} has ${bytes.length} bytes instead of ${size}`)
  }
  return await fromAnyEndpoint(context, repository, options, action, true)
}

/**
 * Asks the peers if a digest is asked for, the mirrors, then the registry. Whatever is wrong with one of those only means
 * that the next is asked.
 */
export async function fromAnyEndpoint<T>(
  context: RegistryContext,
  { registry }: Repository,
  options: ResolveOptions,
  action: (endpoint: Endpoint) => Promise<T>,
  isByDigest: boolean,
): Promise<T> {
  const peers = isByDigest ? context.mirrors.peers(registry) : []
  const endpoints = context.mirrors.endpoints(registry)
  for (const endpoint of [...peers, ...endpoints].filter(({ isMirror }) => isMirror)) {
    try {
      return await action(endpoint)
    } catch (failure) {
      throwIfAborted(options.signal)
      passOver(context, endpoint, failure)
    }
  }
  const origin = context.mirrors.origin(registry)
  return await retrying(context.retry, options.signal, options.onRetry, async () => await action(origin))
}

/** Notes a mirror's failure; only a cancel ends the whole. */
export function passOver(context: RegistryContext, endpoint: Endpoint, failure: unknown): void {
  const error = failure instanceof Transient ? failure.error : failure
  if (isKagoError(error, 'cancelled') || !(error instanceof KagoError)) throw error
  context.mirrors.avoid(endpoint, error)
  const fields = { registry: endpoint.registry, mirror: endpoint.host, reason: error.message }
  if (endpoint.isPeer !== true) context.log.warn(fields, 'a mirror is of no use; the next is asked')
  // That a peer does not have everything is how it is.
  else if (error.details?.['status'] === 404)
    context.log.debug(fields, 'a peer does not have it; the next is asked')
  else context.log.warn(fields, 'a peer is of no use; the next is asked')
}

async function getDocument(
  context: RegistryContext,
  endpoint: Endpoint,
  repository: Repository,
  target: { name: string; digest: Digest | undefined; what: string },
  options: CallOptions,
): Promise<ResolvedDocument> {
  const { name, what } = target
  const { stallMs } = context.timeouts
  const response = await ask(context, endpoint, questionOf('GET', repository, name, what), options)
  if (response.status !== 200) {
    const isLoggedIn = !endpoint.isMirror && options.credentials !== undefined
    throw await refusalFailure(response, what, endpoint.registry, isLoggedIn, stallMs)
  }
  const bytes = await readDocument(response, what, stallMs)
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const said = response.header('docker-content-digest')
  const wanted = target.digest ?? (said !== undefined && isDigest(said) ? said : digest)
  if (digest !== wanted)
    // Bytes can be damaged on their way too: worth another try.
    throw new Transient(
      new KagoError('corrupt', `the manifest of ${what} is not what its digest says`, {
        hint: 'the registry or something before it changes what it delivers',
        details: { expected: wanted, received: digest },
      }),
      { attempts: 2 },
    )
  const rateLimit = rateLimitOf(response)
  return {
    digest,
    mediaType: mediaTypeOf(response),
    size: bytes.length,
    bytes,
    ...(rateLimit && { rateLimit }),
  }
}

/** A body that breaks off may be whole the next time; one that is too large will not. */
async function readDocument(response: Response, what: string, stallMs: number): Promise<Uint8Array> {
  const encoding = response.header('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    response.discard()
    throw new KagoError(
      'unavailable',
      `the manifest of ${what} comes compressed (${printable(encoding, 40)}), which was not asked for`,
    )
  }
  return await readCapped(response, documentLimit, stallMs, `the manifest of ${what}`)
}

function questionOf(
  method: 'GET' | 'HEAD',
  { repository }: Repository,
  name: string,
  what: string,
): Question {
  const headers = { accept, 'accept-encoding': 'identity' }
  return { method, repository, path: `manifests/${name}`, headers, what }
}

function describe(response: Response): Descriptor | undefined {
  const digest = response.header('docker-content-digest')
  const length = response.header('content-length')
  const mediaType = mediaTypeOf(response)
  if (digest === undefined || !isDigest(digest) || length === undefined || !/^\d{1,9}$/.test(length))
    return undefined
  return mediaType === '' ? undefined : { digest, mediaType, size: Number(length) }
}

function mediaTypeOf(response: Response): string {
  return printable((response.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '', 255)
}
