/** Brings a blob into a repository, by the cheapest way there is, whatever happens to the connections. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { type Digest, parseDigest } from '../../shared/oci/digest.ts'
import { familiarRepository, type Repository } from '../../shared/reference.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import {
  delayBefore,
  finalError,
  pause,
  reasonOf,
  retrying,
  type RetryNotice,
  throwIfAborted,
  Transient,
} from './retry.ts'
import {
  abandonUpload,
  askUpload,
  beginUpload,
  ChunkRefused,
  endUpload,
  hasBlob,
  type Job,
  sendChunk,
  type Session,
  SessionLost,
} from './upload.ts'

export interface PushBlobOptions extends CallOptions {
  onRetry?: ((notice: RetryNotice) => void) | undefined
  /** Bytes that are on their way or there; goes back when a connection breaks. */
  onProgress?: ((current: number) => void) | undefined
  /** Other repositories of the same registry that are thought to have the blob. */
  neighbours?: readonly string[] | undefined
}

/** The bytes from `start` up to, not including, `end`. Opened by the first reading. */
export type BlobSource = (start: number, end: number) => AsyncIterable<Uint8Array>

export type PushedBlob = { how: 'exists' } | { how: 'mounted'; from: string } | { how: 'uploaded' }

const smallestChunk = 256 << 10
/** Less than this between two failures counts as nothing gained: a server must not keep us busy byte by byte. */
const progressBytes = 256 * 1024
/** Repositories that are asked whether they have it. */
const neighboursAsked = 2

interface State {
  session: Session | undefined
  /** The last exchange failed: the registry is asked how far it has come. */
  isUnsure: boolean
  /** Infinite where all goes out with the last request. */
  chunk: number
  neighbours: string[]
  /** The furthest that the registry ever said it had come. */
  reached: number
  /** Uploads that the registry forgot. */
  lost: number
}

/**
 * It is looked for first, then asked for among its neighbours, then uploaded; connections that drop or stall and answers
 * that may pass are tried again, from where the registry says it is if it takes pieces.
 * @throws unauthenticated, permission_denied, not_found, not_supported, exhausted, corrupt, unavailable, … as named.
 */
export async function pushBlob(
  context: RegistryContext,
  repository: Repository,
  blob: { digest: Digest; size: number },
  source: BlobSource,
  options: PushBlobOptions,
): Promise<PushedBlob> {
  const job = jobOf(context, repository, blob, options)
  const { signal, onRetry } = options
  if (await retrying(context.retry, signal, onRetry, () => hasBlob(job))) return { how: 'exists' }
  const state: State = {
    session: undefined,
    isUnsure: false,
    chunk: blob.size <= context.uploadChunkBytes ? Number.POSITIVE_INFINITY : context.uploadChunkBytes,
    neighbours: [...(options.neighbours ?? [])].slice(0, neighboursAsked),
    reached: 0,
    lost: 0,
  }
  try {
    return await upload(job, state, source, options)
  } catch (error) {
    if (state.session !== undefined) await abandonUpload(job, state.session)
    throw error
  }
}

async function upload(
  job: Job,
  state: State,
  source: BlobSource,
  options: PushBlobOptions,
): Promise<PushedBlob> {
  const { retry } = job.context
  let attempt = 1
  for (;;) {
    const before = state.reached
    try {
      return await goOn(job, state, source, options)
    } catch (thrown) {
      throwIfAborted(options.signal)
      if (thrown instanceof ChunkRefused && changeChunk(state, thrown)) continue
      const failure = toFailure(job, thrown)
      if (state.reached >= before + progressBytes) attempt = 1
      if (thrown instanceof SessionLost) attempt = Math.max(attempt, ++state.lost)
      const delayMs = delayBefore(attempt, failure, retry)
      if (delayMs === undefined) throw finalError(failure, attempt)
      if (thrown instanceof SessionLost) state.session = undefined
      state.isUnsure = true
      options.onRetry?.({ attempt, delayMs, reason: reasonOf(failure) })
      await pause(delayMs, options.signal)
      attempt += 1
    }
  }
}

/** From wherever the upload is to its end. */
async function goOn(
  job: Job,
  state: State,
  source: BlobSource,
  { onProgress }: PushBlobOptions,
): Promise<PushedBlob> {
  const { size } = job.blob
  if (state.session !== undefined && state.isUnsure) await findPlace(job, state)
  while (state.session === undefined) {
    const from = state.neighbours.shift()
    const begun = await beginOrPass(job, from)
    if (begun === 'mounted' && from !== undefined) return { how: 'mounted', from }
    if (typeof begun === 'object') state.session = begun
  }
  const { session } = state
  state.isUnsure = false
  const chunk = Math.max(state.chunk, session.minimumChunk)
  if (session.offset === 0 && size <= chunk) {
    await endUpload(job, session, () => counted(job, source, 0, size, onProgress))
    return { how: 'uploaded' }
  }
  while (session.offset < size) {
    const start = session.offset
    const end = Math.min(size, start + chunk)
    await sendChunk(job, session, end, () => counted(job, source, start, end, onProgress))
    if (session.offset < Math.min(end, start + progressBytes)) throw standsStill(job)
    state.reached = Math.max(state.reached, session.offset)
    onProgress?.(session.offset)
  }
  await endUpload(job, session, undefined)
  return { how: 'uploaded' }
}

/** After a failure. An upload in one piece has no place to go on from. */
async function findPlace(job: Job, state: State): Promise<void> {
  const { session } = state
  if (session === undefined) return
  try {
    if (!Number.isFinite(state.chunk)) throw new SessionLost()
    await askUpload(job, session)
  } catch (error) {
    if (!(error instanceof SessionLost)) throw error
    state.session = undefined
  }
}

/** A neighbour that may not be read, or that the registry makes trouble about, is only passed over. */
async function beginOrPass(job: Job, from: string | undefined): Promise<Session | 'mounted' | 'passed'> {
  try {
    return (await beginUpload(job, from)) ?? 'mounted'
  } catch (error) {
    const isRefusal = error instanceof KagoError && !isKagoError(error, 'cancelled', 'corrupt')
    if (from === undefined || !isRefusal) throw error
    return 'passed'
  }
}

/** Whether there is another way to cut the blob; the upload is begun anew. */
function changeChunk(state: State, { isTooLarge }: ChunkRefused): boolean {
  if (!Number.isFinite(state.chunk)) return false
  const smaller = isTooLarge ? state.chunk / 4 : 0
  state.chunk = smaller >= smallestChunk ? smaller : Number.POSITIVE_INFINITY
  state.session = undefined
  return true
}

function toFailure({ pushing }: Job, thrown: unknown): unknown {
  if (thrown instanceof SessionLost) {
    const what = `${pushing.registry} ${thrown.does ?? `lost the upload of ${pushing.what}`}`
    return new Transient(new KagoError('unavailable', what, { hint: 'try again' }))
  }
  if (thrown instanceof ChunkRefused)
    return new KagoError(
      'unavailable',
      `${pushing.registry} does not take ${pushing.what} in pieces or whole`,
    )
  return thrown
}

function standsStill({ pushing }: Job): Transient {
  return new Transient(
    new KagoError('unavailable', `${pushing.registry} takes no more of ${pushing.what}`, {
      hint: 'try again later',
    }),
  )
}

async function* counted(
  { pushing }: Job,
  source: BlobSource,
  start: number,
  end: number,
  onProgress: ((current: number) => void) | undefined,
): AsyncGenerator<Uint8Array, void> {
  let at = start
  for await (const chunk of source(start, end)) {
    if (at + chunk.length > end) break
    yield chunk
    at += chunk.length
    onProgress?.(at)
  }
  if (at === end) return
  throw new KagoError('corrupt', `${pushing.what} is not as long here as it should be`, {
    hint: 'remove the image and pull it again',
  })
}

function jobOf(
  context: RegistryContext,
  repository: Repository,
  blob: { digest: Digest; size: number },
  options: CallOptions,
): Job {
  const { registry, repository: path } = repository
  const digest = parseDigest(blob.digest)
  return {
    context,
    endpoint: context.mirrors.origin(registry),
    repository: path,
    blob: { digest, size: blob.size },
    scope: `repository:${path}:pull,push`,
    pushing: {
      registry,
      repository: familiarRepository(repository),
      what: `${familiarRepository(repository)}@${digest}`,
      isLoggedIn: options.credentials !== undefined,
      stallMs: context.timeouts.stallMs,
    },
    options: { credentials: options.credentials, signal: options.signal },
  }
}
