/** Turns what registries answer into errors a person understands. No secret and no control character gets out. */
import { KagoError } from '../../shared/errors.ts'
import { printable } from './printable.ts'
import { readCapped } from './read.ts'
import { Transient, isTransientStatus, retryAfterOf } from './retry.ts'
import type { Response } from './transport.ts'

const errorBodyLimit = 64 * 1024

/** What a registry answered instead of what was asked for. */
export interface Refusal {
  status: number
  /** The distribution spec's codes: MANIFEST_UNKNOWN, DENIED, … */
  codes: string[]
  /** The registry's words, made printable; may be empty. */
  text: string
}

/** Reads an error answer to its (bounded) end; what cannot be read is not an error of its own. */
export async function readRefusal(response: Response, stallMs: number): Promise<Refusal> {
  try {
    const body = await readCapped(response, errorBodyLimit, Math.min(stallMs, 5000), 'an error message')
    return { status: response.status, ...parseRefusal(Buffer.from(body).toString('utf8')) }
  } catch {
    // The status alone says enough; a body that stalls, breaks off or never ends is part of the failure being told.
    response.discard()
    return { status: response.status, codes: [], text: '' }
  }
}

function parseRefusal(body: string): { codes: string[]; text: string } {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { codes: [], text: '' }
  }
  if (typeof value !== 'object' || value === null) return { codes: [], text: '' }
  const errors: unknown[] =
    'errors' in value && Array.isArray(value.errors) ? value.errors.slice(0, 5) : [value]
  const codes: string[] = []
  const texts: string[] = []
  for (const error of errors) {
    if (typeof error !== 'object' || error === null) continue
    if ('code' in error && typeof error.code === 'string') codes.push(printable(error.code, 100))
    // `details` and `error_description` are what token servers write.
    const text = ['message', 'details', 'error_description', 'error'].map((key) => Reflect.get(error, key))
    const first: unknown = text.find((candidate) => typeof candidate === 'string' && candidate !== '')
    if (typeof first === 'string') texts.push(first)
  }
  return { codes, text: printable(texts.join('; '), 300) }
}

/** Reads an unwanted answer and makes of it the failure it is: one that may pass, or an error. */
export async function refusalFailure(
  response: Response,
  what: string,
  registry: string,
  isLoggedIn: boolean,
  stallMs: number,
): Promise<KagoError | Transient> {
  const refusal = await readRefusal(response, stallMs)
  const error = refusalError(what, registry, refusal, isLoggedIn)
  if (!isTransientStatus(refusal.status)) return error
  // A pull limit lasts for hours: without a word about when it ends, a few tries are all it is worth.
  return new Transient(error, {
    retryAfterMs: retryAfterOf(response),
    ...(refusal.status === 429 && { attempts: 3 }),
  })
}

/** The error for an answer that is not what was asked for. `what` names it: `docker.io/library/alpine:99`. */
export function refusalError(what: string, host: string, refusal: Refusal, isLoggedIn: boolean): KagoError {
  const { status, text, codes } = refusal
  const said = text === '' ? '' : `: ${text}`
  const details = { status, ...(codes.length > 0 && { codes }) }
  if (status === 401 || status === 403) return absentOrPrivate(what, host, said, details, isLoggedIn)
  if (status === 404)
    return new KagoError('not_found', `${what} is not in the registry ${host}${said}`, {
      hint: 'check the name and the tag',
      details,
    })
  if (status === 429)
    return new KagoError('unavailable', `${host} says there were too many requests${said}`, {
      hint: isLoggedIn ? 'wait and try again' : `wait and try again, or log in: kago login ${host}`,
      details,
    })
  if (status >= 500)
    return new KagoError('unavailable', `${host} failed with status ${status} for ${what}${said}`, {
      hint: 'try again later',
      details,
    })
  return new KagoError('unavailable', `${host} answered ${status} for ${what}${said}`, { details })
}

function absentOrPrivate(
  what: string,
  host: string,
  said: string,
  details: Record<string, unknown>,
  isLoggedIn: boolean,
): KagoError {
  // Registries do not tell the two apart, so that nobody can try out names.
  if (isLoggedIn)
    return new KagoError('permission_denied', `${what} does not exist or you may not read it${said}`, {
      hint: `check the name, or log in as somebody who may: kago login ${host}`,
      details,
    })
  return new KagoError('not_found', `${what} does not exist or is private${said}`, {
    hint: `check the name; if it is private, log in first: kago login ${host}`,
    details,
  })
}
