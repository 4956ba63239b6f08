/** A blob as one unbroken stream, whatever happens to the connections below it. */
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { KagoError } from '../../shared/errors.ts'
import { type Digest, parseDigest } from '../../shared/oci/digest.ts'
import { familiarRepository, type Repository } from '../../shared/reference.ts'
import { ask } from './ask.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import { refusalFailure } from './diagnostics.ts'
import { printable } from './printable.ts'
import { passOver } from './resolve.ts'
import {
  delayBefore,
  finalError,
  pause,
  type RetryNotice,
  reasonOf,
  throwIfAborted,
  Transient,
} from './retry.ts'
import { readSteadily } from './read.ts'
import type { Response } from './transport.ts'

export interface BlobRetry extends RetryNotice {
  /** Where the stream goes on: bytes of the blob that are there already. */
  offset: number
}

export interface FetchBlobOptions extends CallOptions {
  /** Where to begin: what comes before is there and verified. */
  offset?: number | undefined
  onRetry?: ((notice: BlobRetry) => void) | undefined
  /** Leaves the mirrors out: for another try after one delivered bytes of another digest. */
  isDirect?: boolean | undefined
}

interface Wanted {
  digest: Digest
  size: number
  what: string
}

/** Less than this between two failures counts as nothing gained: a server must not keep us busy byte by byte. */
const progressBytes = 256 * 1024
/** Tries for a redirect whose target refuses: its signature may have expired on the way. */
const staleRedirectAttempts = 3

/**
 * The bytes of a blob from `offset` to its end, exactly as many as its size says; the caller hashes them.
 * Connections that drop, stall or answer 5xx are replaced, at the byte where they ended.
 * @throws corrupt if the server sends too many bytes or the wrong range; not_found, timed_out, unavailable, … as named.
 */
export async function* streamBlob(
  context: RegistryContext,
  repository: Repository,
  blob: { digest: Digest; size: number },
  options: FetchBlobOptions,
): AsyncGenerator<Uint8Array, void> {
  const digest = parseDigest(blob.digest)
  const wanted: Wanted = { digest, size: blob.size, what: `${familiarRepository(repository)}@${digest}` }
  let position = checkOffset(options.offset ?? 0, wanted)
  const mirrors = context.mirrors.endpoints(repository.registry).filter(({ isMirror }) => isMirror)
  const endpoints =
    options.isDirect === true ? [] : [...context.mirrors.peers(repository.registry), ...mirrors]
  let attempt = 1
  let canRange = true
  let gained = 0
  while (position < wanted.size) {
    const endpoint = endpoints[0] ?? context.mirrors.origin(repository.registry)
    try {
      for await (const chunk of streamOnce(
        context,
        endpoint,
        repository,
        wanted,
        position,
        canRange,
        options,
      )) {
        position += chunk.length
        gained += chunk.length
        yield chunk
      }
      if (position < wanted.size) throw brokeOff(wanted, endpoint)
    } catch (failure) {
      throwIfAborted(options.signal)
      if (endpoint.isMirror) {
        passOver(context, endpoint, failure)
        endpoints.shift()
        continue
      }
      if (failure instanceof CannotRange) {
        canRange = false
        continue
      }
      if (gained >= progressBytes) attempt = 1
      gained = 0
      const delayMs = delayBefore(attempt, failure, context.retry)
      if (delayMs === undefined) throw finalError(failure, attempt)
      options.onRetry?.({ attempt, delayMs, reason: reasonOf(failure), offset: position })
      await pause(delayMs, options.signal)
      attempt += 1
    }
  }
}

/** The server cannot begin in the middle; asked for the whole it may do better. */
class CannotRange extends Error {}

/** What one connection brings, from `position` on. */
async function* streamOnce(
  context: RegistryContext,
  endpoint: Endpoint,
  repository: Repository,
  wanted: Wanted,
  position: number,
  canRange: boolean,
  options: FetchBlobOptions,
): AsyncGenerator<Uint8Array, void> {
  const isRanged = position > 0 && canRange
  const response = await ask(
    context,
    endpoint,
    {
      method: 'GET',
      repository: repository.repository,
      path: `blobs/${wanted.digest}`,
      headers: { 'accept-encoding': 'identity', ...(isRanged && { range: `bytes=${position}-` }) },
      what: wanted.what,
    },
    options,
  )
  try {
    const start = await checkAnswer(
      context,
      endpoint,
      response,
      wanted,
      isRanged ? position : undefined,
      options,
    )
    yield* measured(decoded(context, response, wanted), wanted, start, position)
  } finally {
    response.discard()
  }
}

/** Where the answer's bytes begin in the blob. */
async function checkAnswer(
  context: RegistryContext,
  endpoint: Endpoint,
  response: Response,
  wanted: Wanted,
  asked: number | undefined,
  options: FetchBlobOptions,
): Promise<number> {
  const { status } = response
  if (status === 206 && asked !== undefined) {
    if (isEncoded(response, wanted)) throw new CannotRange()
    checkContentRange(response, wanted, asked)
    return asked
  }
  if (status === 200) return 0
  if (status === 416 && asked !== undefined) throw new CannotRange()
  const { stallMs } = context.timeouts
  const isLoggedIn = !endpoint.isMirror && options.credentials !== undefined
  const isElsewhere = response.url.host !== endpoint.host
  const failure = await refusalFailure(response, wanted.what, endpoint.registry, isLoggedIn, stallMs)
  // The storage behind the registry: its signed URLs expire. The registry, asked again, makes a new one.
  if (isElsewhere && failure instanceof KagoError)
    throw new Transient(
      new KagoError(
        'unavailable',
        `the storage of ${endpoint.registry} answered ${status} for ${wanted.what}`,
        {
          hint: 'try again',
          details: { status, storage: response.url.host },
        },
      ),
      { attempts: staleRedirectAttempts },
    )
  throw failure
}

function checkContentRange(response: Response, wanted: Wanted, asked: number): void {
  const text = response.header('content-range') ?? ''
  const [, first, last, total] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(text.trim()) ?? []
  const isRight =
    Number(first) === asked &&
    Number(last) >= asked &&
    Number(last) < wanted.size &&
    (total === '*' || Number(total) === wanted.size)
  if (!isRight)
    throw new KagoError(
      'corrupt',
      `${response.url.host} sent another part of ${wanted.what} than was asked for`,
      {
        hint: 'the registry or something before it is broken',
        details: { asked: `bytes ${asked}-`, received: printable(text, 100) },
      },
    )
}

/** Whether the body is an encoding of the blob. Some storages call a gzipped blob so: then its length is the blob's. */
function isEncoded(response: Response, wanted: Wanted): boolean {
  const encoding = response.header('content-encoding')?.toLowerCase()
  if (encoding === undefined || encoding === 'identity' || encoding === '') return false
  return response.status === 206 || response.header('content-length') !== String(wanted.size)
}

function decoded(context: RegistryContext, response: Response, wanted: Wanted): AsyncIterable<Uint8Array> {
  const bytes = readSteadily(response, context.timeouts.stallMs)
  if (!isEncoded(response, wanted)) return bytes
  const encoding = response.header('content-encoding')?.toLowerCase() ?? ''
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new KagoError(
      'not_supported',
      `${response.url.host} sends ${wanted.what} in an encoding that was not asked for: ${printable(encoding, 40)}`,
    )
  return gunzip(bytes, response)
}

async function* gunzip(
  bytes: AsyncIterable<Uint8Array>,
  response: Response,
): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(bytes, { objectMode: false })
  const gunzipped = createGunzip()
  source.on('error', (error) => gunzipped.destroy(error))
  try {
    yield* source.pipe(gunzipped)
  } catch (error) {
    if (error instanceof KagoError) throw error
    const cause = error
    throw new Transient(
      new KagoError('unavailable', `what ${response.url.host} sent cannot be decompressed`, { cause }),
      { attempts: 2 },
    )
  } finally {
    source.destroy()
    gunzipped.destroy()
  }
}

/** Skips what is there already, and stops a server that sends more than the blob has. */
async function* measured(
  chunks: AsyncIterable<Uint8Array>,
  wanted: Wanted,
  start: number,
  position: number,
): AsyncGenerator<Uint8Array, void> {
  let at = start
  for await (const chunk of chunks) {
    const from = Math.max(0, position - at)
    at += chunk.length
    if (at > wanted.size)
      throw new KagoError(
        'corrupt',
        `the registry sent more than the ${wanted.size} bytes of ${wanted.what}`,
        {
          hint: 'the registry or something before it is broken',
        },
      )
    if (from < chunk.length) yield chunk.subarray(from)
  }
}

function brokeOff(wanted: Wanted, endpoint: Endpoint): Transient {
  return new Transient(
    new KagoError(
      'unavailable',
      `${endpoint.registry} sent less than the ${wanted.size} bytes of ${wanted.what}`,
      {
        hint: 'try again',
      },
    ),
  )
}

function checkOffset(offset: number, { size, what }: Wanted): number {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset <= size) return offset
  throw new KagoError('invalid_argument', `cannot begin at byte ${offset} of the ${size} of ${what}`)
}
