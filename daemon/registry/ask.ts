/** One question to a registry's API: over the right scheme, with the right credentials, through its redirects. */
import { KagoError } from '../../shared/errors.ts'
import type { Access } from './auth.ts'
import { parseChallenges } from './challenge.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import { networkFailure } from './network-failure.ts'
import { checkDestination, sendFollowing } from './redirect.ts'
import { throwIfAborted, Transient } from './retry.ts'
import type { Body, Method, Request, Response, Route } from './transport.ts'

export interface Question {
  method: Method
  /** The repository; undefined for a login, which is about none. */
  repository: string | undefined
  /** Below the repository: `manifests/latest`. */
  path: string
  headers: Record<string, string>
  body?: Body | undefined
  headersMs?: number | undefined
  /** Where the registry itself said to go on, instead of the path. Elsewhere than at the registry it gets no credentials. */
  location?: URL | undefined
  /** What is asked of the token server, where it is not only to pull: `repository:a:pull,push repository:b:pull`. */
  scope?: string | undefined
  /** What is wanted, as an error names it. */
  what: string
}

/**
 * The registry's answer, whatever its status: a 401 means that there is no more to be tried.
 * @throws Transient for a failure that may pass; cancelled, permission_denied, unavailable, … for others.
 */
export async function ask(
  context: RegistryContext,
  endpoint: Endpoint,
  question: Question,
  options: CallOptions,
): Promise<Response> {
  throwIfAborted(options.signal)
  try {
    return await askAuthorized(context, endpoint, question, options)
  } catch (failure) {
    // A host that comes back may come back with TLS, or without.
    if (failure instanceof Transient) context.schemes.delete(endpoint.host)
    throw failure
  }
}

async function askAuthorized(
  context: RegistryContext,
  endpoint: Endpoint,
  question: Question,
  options: CallOptions,
): Promise<Response> {
  const base = urlOf(await schemeOf(context, endpoint, options.signal), endpoint, question)
  const url = question.location ?? base
  const { method, headers, body, headersMs } = question
  const request: Request = { method, url, headers, body, headersMs, signal: options.signal }
  if (url.origin !== base.origin) {
    checkDestination(url, base, endpoint.isInsecure)
    const elsewhere = { isInsecure: context.insecure.has(url), isForeign: !endpoint.isInsecure }
    return await sendFollowing(context, request, elsewhere)
  }
  const access = accessOf(url, endpoint, question, options)
  const route: Route = { isInsecure: endpoint.isInsecure, isForeign: false }
  const known = context.authenticator.known(access)
  const response = await sendFollowing(context, withAuthorization(request, known), route)
  // A host that we were redirected to cannot make us log in anywhere (CVE-2020-15157).
  if (response.status !== 401 || response.url.origin !== url.origin) return response
  const challenges = parseChallenges(response.headers('www-authenticate'))
  if (known !== undefined) context.authenticator.forget(access)
  const authorization = await context.authenticator.answer(context, access, challenges, options.signal)
  if (authorization === undefined || authorization === known) return response
  await response.drain()
  const second = await sendFollowing(context, withAuthorization(request, authorization), route)
  if (second.status === 401) context.authenticator.forget(access)
  return second
}

/** Whose right `ask` needs: exported for the login, which asks for itself. */
export function accessOf(url: URL, endpoint: Endpoint, question: Question, options: CallOptions): Access {
  const { repository, scope } = question
  return {
    registry: endpoint.registry,
    url,
    isInsecure: endpoint.isInsecure,
    scope:
      repository === undefined ? undefined : (scope ?? `repository:${endpoint.prefix}${repository}:pull`),
    what: question.what,
    credentials: endpoint.isMirror ? endpoint.credentials : options.credentials,
  }
}

export function urlOf(scheme: string, endpoint: Endpoint, { repository, path }: Question): URL {
  const below = repository === undefined ? '' : `${endpoint.prefix}${repository}/`
  return new URL(`${scheme}//${endpoint.host}/v2/${below}${path}`)
}

/**
 * As Docker does: a host that may be spoken to without TLS is tried with it first, and then without. What answered is
 * remembered, and asked again when the host no longer answers.
 */
export async function schemeOf(
  context: RegistryContext,
  endpoint: Endpoint,
  signal: AbortSignal | undefined,
): Promise<'https:' | 'http:'> {
  const remembered = endpoint.scheme ?? context.schemes.get(endpoint.host)
  if (remembered !== undefined) return remembered
  const url = new URL(`https://${endpoint.host}/v2/`)
  try {
    const response = await context.send(
      { method: 'GET', url, headers: {}, signal },
      { isInsecure: true, isForeign: false },
    )
    await response.drain()
    context.schemes.set(endpoint.host, 'https:')
    return 'https:'
  } catch (error) {
    const failure = networkFailure(error, url)
    if (failure instanceof KagoError && failure.code === 'cancelled') throw failure
    return await plainScheme(context, endpoint, signal)
  }
}

async function plainScheme(
  context: RegistryContext,
  endpoint: Endpoint,
  signal: AbortSignal | undefined,
): Promise<'http:'> {
  const url = new URL(`http://${endpoint.host}/v2/`)
  try {
    const response = await context.send(
      { method: 'GET', url, headers: {}, signal },
      { isInsecure: true, isForeign: false },
    )
    await response.drain()
  } catch (error) {
    throw networkFailure(error, url)
  }
  context.schemes.set(endpoint.host, 'http:')
  return 'http:'
}

function withAuthorization<T extends { headers: Record<string, string> }>(
  request: T,
  authorization: string | undefined,
): T {
  if (authorization === undefined) return request
  return { ...request, headers: { ...request.headers, authorization } }
}
