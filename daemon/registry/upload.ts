/**
 * The conversation about one upload. OCI distribution spec, "Pushing blobs": it is begun by a POST, answered with the
 * Location to go on at; each answer may name another. Bytes go there whole with the PUT that ends it, or in order by PATCH.
 */
import { KagoError } from '../../shared/errors.ts'
import { type Digest, isDigest } from '../../shared/oci/digest.ts'
import { ask } from './ask.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import { readRefusal } from './diagnostics.ts'
import type { Endpoint } from './endpoint.ts'
import { printable } from './printable.ts'
import { failureOf, type Pushing, pushFailure } from './push-failure.ts'
import { retryAfterOf, Transient } from './retry.ts'
import type { Body, Response } from './transport.ts'

/** What the parts of one upload share. */
export interface Job {
  context: RegistryContext
  endpoint: Endpoint
  /** The path in the registry. */
  repository: string
  blob: { digest: Digest; size: number }
  scope: string
  pushing: Pushing
  options: CallOptions
}

/** An upload that the registry has begun. */
export interface Session {
  /** Where to go on. */
  location: URL
  /** Bytes that the registry says it has. */
  offset: number
  /** The least it takes at a time, but for the end. */
  minimumChunk: number
}

/** The registry does not know the upload any more, or has lost its place in it: only a new one can help. */
export class SessionLost extends Error {
  /** What it does, if it is not only that: `has more of … than was sent`. */
  readonly does: string | undefined

  constructor(does?: string) {
    super(does)
    this.does = does
  }
}

/** The registry does not take bytes so: in pieces, or in pieces that large. */
export class ChunkRefused extends Error {
  readonly isTooLarge: boolean

  constructor(isTooLarge: boolean) {
    super('the registry does not take such pieces')
    this.isTooLarge = isTooLarge
  }
}

const octets = 'application/octet-stream'
const uploads = 'blobs/uploads/'
const lostCodes = ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID']

/** Whether the repository has the blob. What is not clearly there is not: to bring it once more does no harm. */
export async function hasBlob(job: Job): Promise<boolean> {
  const { context, endpoint, repository, blob, scope, pushing, options } = job
  const response = await ask(
    context,
    endpoint,
    { method: 'HEAD', repository, path: `blobs/${blob.digest}`, headers: {}, scope, what: pushing.what },
    options,
  )
  await response.drain()
  const length = response.header('content-length')
  return response.status === 200 && (length === undefined || length === String(blob.size))
}

/**
 * Begins an upload. With `from`, another repository of the registry, the registry may take the blob from there instead.
 * @returns undefined when it was taken from there.
 */
export async function beginUpload(job: Job, from: string | undefined): Promise<Session | undefined> {
  const { blob, scope } = job
  const query =
    from === undefined ? '' : `?mount=${encodeURIComponent(blob.digest)}&from=${encodeURIComponent(from)}`
  const response = await send(job, {
    method: 'POST',
    path: `${uploads}${query}`,
    scope: from === undefined ? scope : `${scope} repository:${from}:pull`,
    headers: { 'content-length': '0' },
  })
  if (response.status === 201 && from !== undefined) {
    await response.drain()
    checkDigest(job, response)
    return undefined
  }
  if (response.status !== 202) throw await pushFailure(response, job.pushing)
  await response.drain()
  const least = response.header('oci-chunk-min-length') ?? '0'
  return {
    location: locationOf(job, response, undefined),
    offset: 0,
    minimumChunk: /^\d{1,12}$/.test(least) ? Number(least) : 0,
  }
}

/** Asks how far an upload has come. @throws SessionLost */
export async function askUpload(job: Job, session: Session): Promise<void> {
  const response = await send(job, { method: 'GET', location: session.location, headers: {} })
  if (response.status !== 204 && response.status !== 200) {
    const failure = await pushFailure(response, job.pushing)
    if (failure instanceof Transient) throw failure
    throw new SessionLost()
  }
  await response.drain()
  const end = rangeEnd(response)
  // `0-0` is one byte or none.
  if (end === undefined || end === 0 || end > job.blob.size) throw new SessionLost()
  session.offset = end
  session.location = locationOf(job, response, session.location)
}

/** Brings the bytes from `session.offset` to `end`. Less than all of them may have been taken: see `session.offset`. */
export async function sendChunk(job: Job, session: Session, end: number, body: Body): Promise<void> {
  const start = session.offset
  const response = await send(job, {
    method: 'PATCH',
    location: session.location,
    headers: {
      'content-type': octets,
      'content-length': String(end - start),
      'content-range': `${start}-${end - 1}`,
    },
    body,
    headersMs: job.context.timeouts.commitMs,
  })
  const { status } = response
  if (![201, 202, 204].includes(status)) throw await chunkFailure(job, response)
  await response.drain()
  session.location = locationOf(job, response, session.location)
  const reached = rangeEnd(response) ?? end
  if (reached > end) throw new SessionLost(`has more of ${job.pushing.what} than was sent`)
  session.offset = reached
}

/** Ends an upload; with a body that is the whole blob. */
export async function endUpload(job: Job, session: Session, body: Body | undefined): Promise<void> {
  const { digest, size } = job.blob
  const location = new URL(session.location)
  // As text: a query that was signed must stay as it is.
  location.search = `${location.search === '' ? '?' : `${location.search}&`}digest=${encodeURIComponent(digest)}`
  const response = await send(job, {
    method: 'PUT',
    location,
    headers: { 'content-type': octets, 'content-length': String(body === undefined ? 0 : size) },
    body,
    headersMs: job.context.timeouts.commitMs,
  })
  if (response.status === 201 || response.status === 204) {
    await response.drain()
    checkDigest(job, response)
    return
  }
  if (response.status === 202) {
    await response.drain()
    throw new Transient(
      new KagoError('unavailable', `${job.pushing.registry} does not finish taking ${job.pushing.what}`, {
        hint: 'try again later',
      }),
      { attempts: 2 },
    )
  }
  const refusal = await readRefusal(response, job.pushing.stallMs)
  if (isLost(refusal)) throw new SessionLost()
  const failure = failureOf(refusal, job.pushing, retryAfterOf(response))
  // Bytes can be damaged on their way too: worth another try.
  if (failure instanceof KagoError && failure.code === 'corrupt')
    throw new Transient(failure, { attempts: 2 })
  throw failure
}

/** Tells the registry that nothing more comes. It would find out by itself, after days. */
export async function abandonUpload(job: Job, session: Session): Promise<void> {
  const options = { ...job.options, signal: AbortSignal.timeout(2000) }
  try {
    const response = await send(
      { ...job, options },
      { method: 'DELETE', location: session.location, headers: {} },
    )
    await response.drain()
  } catch (error) {
    const { registry } = job.pushing
    job.context.log.debug(
      { registry, reason: error instanceof Error ? error.message : '' },
      'an upload could not be given up',
    )
  }
}

interface Sending {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path?: string
  location?: URL
  scope?: string
  headers: Record<string, string>
  body?: Body | undefined
  headersMs?: number
}

async function send(job: Job, { path = '', ...rest }: Sending): Promise<Response> {
  const { context, endpoint, repository, scope, pushing, options } = job
  return await ask(context, endpoint, { scope, ...rest, path, repository, what: pushing.what }, options)
}

async function chunkFailure(job: Job, response: Response): Promise<Error> {
  const refusal = await readRefusal(response, job.pushing.stallMs)
  if (isLost(refusal)) return new SessionLost()
  const { status } = refusal
  if (status === 413) return new ChunkRefused(true)
  if ([400, 405, 411, 415, 501].includes(status)) return new ChunkRefused(false)
  return failureOf(refusal, job.pushing, retryAfterOf(response))
}

function isLost({ status, codes }: { status: number; codes: string[] }): boolean {
  return (
    status === 404 || status === 416 || (status === 400 && codes.some((code) => lostCodes.includes(code)))
  )
}

/** How many bytes the registry has. `0-0` is said for none as well as for one, and taken as none. */
function rangeEnd(response: Response): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header('range')?.trim() ?? '') ?? []
  if (last === undefined) return undefined
  return last === '0' ? 0 : Number(last) + 1
}

/** Relative as often as not. */
function locationOf(job: Job, response: Response, before: URL | undefined): URL {
  const text = response.header('location')
  if (text === undefined && before !== undefined) return before
  if (text === undefined || text.length > 16 * 1024 || !URL.canParse(text, response.url.href))
    throw new KagoError(
      'unavailable',
      `${job.pushing.registry} does not say where ${job.pushing.what} should go`,
      {
        hint: 'the registry or something before it is broken',
      },
    )
  const location = new URL(text, response.url)
  // A registry behind a proxy that ends TLS may not know that it is spoken to with it.
  const isOwnName = location.hostname === response.url.hostname && location.port === ''
  if (isOwnName && location.protocol === 'http:' && response.url.protocol === 'https:') {
    location.protocol = 'https:'
    location.port = response.url.port
  }
  return location
}

function checkDigest({ blob, pushing }: Job, response: Response): void {
  const said = response.header('docker-content-digest')
  if (said === undefined || said === '' || said === blob.digest) return
  throw new KagoError('corrupt', `${pushing.registry} stored something else for ${pushing.what}`, {
    hint: 'the registry or something before it is broken',
    details: { expected: blob.digest, received: isDigest(said) ? said : printable(said, 100) },
  })
}
