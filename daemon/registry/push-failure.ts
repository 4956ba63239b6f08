/** What registries answer to who brings something, as errors a person understands. */
import { KagoError } from '../../shared/errors.ts'
import { readRefusal, type Refusal, refusalError } from './diagnostics.ts'
import { isTransientStatus, retryAfterOf, Transient } from './retry.ts'
import type { Response } from './transport.ts'

export interface Pushing {
  /** The registry's name and the repository, as an error names them. */
  registry: string
  repository: string
  /** What is brought: `layer sha256:…`. */
  what: string
  isLoggedIn: boolean
  stallMs: number
}

/** Reads an unwanted answer and makes of it the failure it is: one that may pass, or an error. */
export async function pushFailure(response: Response, pushing: Pushing): Promise<KagoError | Transient> {
  return failureOf(await readRefusal(response, pushing.stallMs), pushing, retryAfterOf(response))
}

/** The same for an answer that was read already. */
export function failureOf(refusal: Refusal, pushing: Pushing, retryAfterMs?: number): KagoError | Transient {
  const error = pushError(refusal, pushing)
  if (!isTransientStatus(refusal.status)) return error
  return new Transient(error, { retryAfterMs, ...(refusal.status === 429 && { attempts: 3 }) })
}

function pushError(refusal: Refusal, pushing: Pushing): KagoError {
  const { registry, repository, what, isLoggedIn } = pushing
  const { status, text, codes } = refusal
  const said = text === '' ? '' : `: ${text}`
  const details = { status, ...(codes.length > 0 && { codes }) }
  if ((status === 401 || status === 403) && !isLoggedIn)
    return new KagoError('unauthenticated', `push to ${repository} denied: log in first${said}`, {
      hint: `log in: kago login ${registry}`,
      details,
    })
  if (status === 401 || status === 403)
    return new KagoError(
      'permission_denied',
      `push to ${repository} denied: you may not write there${said}`,
      {
        hint: `check the name, or log in as somebody who may: kago login ${registry}`,
        details,
      },
    )
  if (status === 404)
    return new KagoError('not_found', `${registry} has no repository ${repository} to push to${said}`, {
      hint: 'some registries want it made first; check the name',
      details,
    })
  if (status === 405 || status === 501)
    return new KagoError('not_supported', `${registry} takes no images${said}`, {
      hint: 'it may be a mirror or a read-only registry',
      details,
    })
  if (status === 413)
    return new KagoError('exhausted', `${what} is too large for ${registry}${said}`, {
      hint: 'the registry, or a proxy before it, limits what it takes at once',
      details,
    })
  if (codes.includes('DIGEST_INVALID') || codes.includes('SIZE_INVALID'))
    return new KagoError('corrupt', `${registry} got other bytes for ${what} than were meant${said}`, {
      hint: 'they were damaged on their way, or lie damaged here: remove the image and pull it again',
      details,
    })
  return refusalError(what, registry, refusal, isLoggedIn)
}
