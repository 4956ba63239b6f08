/** When something is worth another try, and how long to wait before it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { KagoError } from '../../shared/errors.ts'
import type { Response } from './transport.ts'

export interface RetryPolicy {
  /** Failures in a row, without anything gained between them, before it is given up. */
  attempts: number
  /** Before the second try; doubled each time. */
  baseMs: number
  /** The longest wait, also of those that a server asks for. */
  maximumMs: number
}

/** A failure that may pass. */
export class Transient extends Error {
  readonly error: KagoError
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined
  /** Tries that such a failure is worth, where these are fewer than the policy's. */
  readonly attempts: number

  constructor(error: KagoError, options: { retryAfterMs?: number | undefined; attempts?: number } = {}) {
    super(error.message, { cause: error })
    this.error = error
    this.retryAfterMs = options.retryAfterMs
    this.attempts = options.attempts ?? Number.POSITIVE_INFINITY
  }
}

/** Told before each wait. */
export interface RetryNotice {
  /** The try that failed, from 1. */
  attempt: number
  delayMs: number
  /** Why, as a sentence without secrets. */
  reason: string
}

export function isTransientStatus(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status)
}

/** Seconds or a date (RFC 9110, section 10.2.3), in milliseconds from now; undefined when absent or nonsense. */
export function parseRetryAfter(value: string | undefined, nowMs = Date.now()): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  if (!/^[A-Z][a-z]{2}, /.test(value)) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

export function retryAfterOf(response: Response): number | undefined {
  return parseRetryAfter(response.header('retry-after'))
}

/** How long to wait after the given failure; undefined when it is not worth another try. */
export function delayBefore(attempt: number, failure: unknown, policy: RetryPolicy): number | undefined {
  if (!(failure instanceof Transient) || attempt >= Math.min(policy.attempts, failure.attempts))
    return undefined
  // A server that wants to be left alone for longer than anybody waits at a terminal: say so now.
  if (failure.retryAfterMs !== undefined)
    return failure.retryAfterMs <= policy.maximumMs ? failure.retryAfterMs : undefined
  const delay = Math.min(policy.maximumMs, policy.baseMs * 2 ** (attempt - 1))
  // Spread, so that all that broke together does not come back together.
  return Math.round(delay * (0.75 + Math.random() / 4))
}

/** The error to tell once there is no more trying. */
export function finalError(failure: unknown, attempts: number): unknown {
  if (!(failure instanceof Transient)) return failure
  const { error, retryAfterMs } = failure
  const hint =
    retryAfterMs === undefined
      ? error.hint
      : `it asks to be left alone for ${Math.ceil(retryAfterMs / 1000)} s`
  return new KagoError(error.code, error.message, {
    hint,
    details: { ...error.details, attempts },
    cause: error.cause,
  })
}

/** Waits; an abort ends it as `cancelled`. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { ...(signal && { signal }) })
  } catch (error) {
    throw new KagoError('cancelled', 'cancelled', { cause: error })
  }
}

/** Runs an action until it works, fails for good, or has failed too often. */
export async function retrying<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  onRetry: ((notice: RetryNotice) => void) | undefined,
  action: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action()
    } catch (failure) {
      throwIfAborted(signal)
      const delayMs = delayBefore(attempt, failure, policy)
      if (delayMs === undefined) throw finalError(failure, attempt)
      onRetry?.({ attempt, delayMs, reason: reasonOf(failure) })
      await pause(delayMs, signal)
    }
  }
}

/** @throws cancelled; whatever an abort breaks, it is told as what it is. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new KagoError('cancelled', 'cancelled')
}

export function reasonOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}
