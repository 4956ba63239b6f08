/**
 * The one error class and the one table that gives every error its HTTP status and its exit code.
 * Both sides throw it: the daemon turns it into a reply, the command line turns that back into the same error.
 */

/**
 * What went wrong, as a closed list.
 * `http` is the status of the reply that carries the error, `exit` the exit code of a `kago` command that fails with it.
 */
export const errorTable = {
  invalid_argument: { http: 400, exit: 2 },
  unauthenticated: { http: 401, exit: 6 },
  permission_denied: { http: 403, exit: 5 },
  not_found: { http: 404, exit: 3 },
  already_exists: { http: 409, exit: 4 },
  wrong_state: { http: 409, exit: 4 },
  in_use: { http: 409, exit: 4 },
  not_supported: { http: 501, exit: 7 },
  exhausted: { http: 507, exit: 8 },
  unavailable: { http: 503, exit: 9 },
  timed_out: { http: 504, exit: 10 },
  corrupt: { http: 502, exit: 11 },
  cancelled: { http: 499, exit: 130 },
  internal: { http: 500, exit: 1 },
} as const satisfies Record<string, { http: number; exit: number }>

export type ErrorCode = keyof typeof errorTable

export const errorCodes = Object.keys(errorTable) as ErrorCode[]

/** What an error says over the wire: `{ "error": ErrorBody }`. */
export interface ErrorBody {
  code: ErrorCode
  /** Lower case, no full stop, names the thing: `container web is not running`. */
  message: string
  /** What to do next: `start it with: kago start web`. */
  hint?: string
  /** Facts for programs, by name. */
  details?: Record<string, unknown>
  /** The id of the operation that failed, for `kago explain`. */
  operation?: string
}

export interface KagoErrorOptions {
  hint?: string | undefined
  details?: Record<string, unknown> | undefined
  operation?: string | undefined
  cause?: unknown
}

/** Every failure that kago foresees. Anything else that is thrown is a bug and is reported as `internal`. */
export class KagoError extends Error {
  override readonly name = 'KagoError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Record<string, unknown> | undefined
  operation: string | undefined

  constructor(code: ErrorCode, message: string, options: KagoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details
    this.operation = options.operation
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint !== undefined && { hint: this.hint }),
      ...(this.details !== undefined && { details: this.details }),
      ...(this.operation !== undefined && { operation: this.operation }),
    }
  }

  static fromBody(body: ErrorBody): KagoError {
    return new KagoError(isErrorCode(body.code) ? body.code : 'internal', body.message, body)
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorTable, code)
}

/** Whether an unknown thrown value is a KagoError, of one of the given codes if any are given. */
export function isKagoError(error: unknown, ...codes: ErrorCode[]): error is KagoError {
  return error instanceof KagoError && (codes.length === 0 || codes.includes(error.code))
}

/** Any thrown value as a KagoError; what is not one already becomes `internal` with the original as its cause. */
export function toKagoError(error: unknown): KagoError {
  if (error instanceof KagoError) return error
  if (error instanceof Error && error.name === 'AbortError')
    return new KagoError('cancelled', 'cancelled', { cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new KagoError('internal', `unexpected failure: ${message}`, { cause: error })
}
