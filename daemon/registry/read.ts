/** Reads the bodies of answers: never for longer, and never more, than is reasonable. */
import { KagoError } from '../../shared/errors.ts'
import { networkFailure } from './network-failure.ts'
import type { Response } from './transport.ts'

/** What a body must at least deliver within the stall timeout: less is not a slow line but a broken or hostile server. */
const stallBytes = 1024

/**
 * The body's bytes; waiting for them is bounded, the time that the reader takes for itself does not count.
 * @throws Transient when the connection breaks, or less than a kibibyte comes within `stallMs`.
 */
export async function* readSteadily(response: Response, stallMs: number): AsyncGenerator<Uint8Array, void> {
  const iterator = response.body[Symbol.asyncIterator]()
  let isFinished = false
  let waitedMs = 0
  let received = 0
  try {
    while (true) {
      const started = performance.now()
      const next = await within(iterator.next(), Math.max(1, stallMs - waitedMs), response.url)
      if (next.done === true) {
        isFinished = true
        return
      }
      waitedMs += performance.now() - started
      received += next.value.length
      if (received >= stallBytes) {
        waitedMs = 0
        received = 0
      }
      yield next.value
    }
  } finally {
    if (!isFinished) response.discard()
  }
}

/**
 * A whole body of at most `limit` bytes.
 * @throws corrupt if it is larger; `what` names it.
 */
export async function readCapped(
  response: Response,
  limit: number,
  stallMs: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readSteadily(response, stallMs)) {
    size += chunk.length
    if (size > limit)
      throw new KagoError('corrupt', `${what} from ${response.url.host} is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function within<T>(promise: Promise<T>, milliseconds: number, url: URL): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new KagoError('timed_out', `${url.host} stopped sending`, { hint: 'try again' }))
    }, milliseconds)
  })
  try {
    return await Promise.race([promise, stalled])
  } catch (error) {
    throw networkFailure(error, url)
  } finally {
    clearTimeout(timer)
    // The read that lost the race fails when its body is discarded, and nobody waits for it any more.
    promise.catch(() => undefined)
  }
}
