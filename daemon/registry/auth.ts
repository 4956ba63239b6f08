/** Answers a registry's challenge: a token from its token server, or a user name and password. */
import { KagoError } from '../../shared/errors.ts'
import type { Challenge } from './challenge.ts'
import type { InsecureHosts } from './addresses.ts'
import { orAborted } from './or-aborted.ts'
import { basicAuthorization, type Credentials, credentialsKey } from './credentials.ts'
import { readRefusal, refusalFailure } from './diagnostics.ts'
import { checkDestination, sendFollowing, sendOnce } from './redirect.ts'
import { isTransientStatus } from './retry.ts'
import { readCapped } from './read.ts'
import type { Response, Send, Timeouts } from './transport.ts'

/** Whose right to what is asked for. */
export interface Access {
  /** The registry, as an error names it. */
  registry: string
  /** The URL that was challenged. */
  url: URL
  /** The registry is trusted like this machine. */
  isInsecure: boolean
  /** `repository:library/alpine:pull`, several with spaces between; undefined for a login, which asks for nothing. */
  scope: string | undefined
  /** What is wanted, as an error names it. */
  what: string
  credentials: Credentials | undefined
}

export interface Authenticator {
  /** The Authorization that worked before and is not known to have expired. */
  known(access: Access): string | undefined
  forget(access: Access): void
  /** The Authorization that a challenge asks for; undefined when there is no answer to it. */
  answer(
    context: AuthContext,
    access: Access,
    challenges: Challenge[],
    signal: AbortSignal | undefined,
  ): Promise<string | undefined>
}

export interface AuthContext {
  send: Send
  insecure: InsecureHosts
  timeouts: Timeouts
}

export interface Token {
  token: string
  lifetimeSeconds: number
  /** A refresh token, for who asked for one at login. */
  identityToken: string | undefined
}

const tokenAnswerLimit = 256 * 1024
const defaultLifetimeSeconds = 60
const flightMs = 60_000
const cacheLimit = 1000

export function createAuthenticator(now: () => number = () => performance.now()): Authenticator {
  const cache = new Map<string, { authorization: string; expiresAt: number }>()
  const flights = new Map<string, Promise<string>>()
  return {
    known(access) {
      const entry = cache.get(keyOf(access))
      return entry !== undefined && entry.expiresAt > now() ? entry.authorization : undefined
    },
    forget(access) {
      cache.delete(keyOf(access))
    },
    async answer(context, access, challenges, signal) {
      const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
      const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
      if (bearer === undefined) {
        const { credentials } = access
        if (!isBasic || credentials === undefined || 'identityToken' in credentials) return undefined
        const authorization = basicAuthorization(credentials.username, credentials.password)
        remember(keyOf(access), authorization, Number.POSITIVE_INFINITY)
        return authorization
      }
      const key = keyOf(access)
      let flight = flights.get(key)
      if (flight === undefined) {
        flight = requestToken(context, access, bearer, AbortSignal.timeout(flightMs))
          .then(({ token, lifetimeSeconds }) => {
            const authorization = `Bearer ${token}`
            // A little early, so that a token does not expire on its way.
            remember(key, authorization, now() + lifetimeSeconds * 900)
            return authorization
          })
          .finally(() => flights.delete(key))
        flights.set(key, flight)
      }
      return await orAborted(flight, signal)
    },
  }

  function remember(key: string, authorization: string, expiresAt: number): void {
    cache.delete(key)
    cache.set(key, { authorization, expiresAt })
    const oldest = cache.keys().next()
    if (cache.size > cacheLimit && oldest.done !== true) cache.delete(oldest.value)
  }
}

/**
 * Asks the token server that a Bearer challenge names.
 * @throws unauthenticated when it does not accept the credentials; not_found or permission_denied as a registry would.
 */
export async function requestToken(
  context: AuthContext,
  access: Access,
  challenge: Challenge,
  signal: AbortSignal | undefined,
  wantsIdentityToken = false,
): Promise<Token> {
  const realm = realmOf(challenge, access)
  const service = challenge.parameters.get('service')?.[0]
  const scopes = scopesOf(challenge, access)
  const route = { isInsecure: context.insecure.has(realm), isForeign: !access.isInsecure }
  const { credentials } = access
  const response =
    credentials !== undefined && 'identityToken' in credentials
      ? await sendOnce(
          context,
          {
            method: 'POST',
            url: realm,
            headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams({
              grant_type: 'refresh_token',
              client_id: 'kago',
              ...(service !== undefined && { service }),
              ...(scopes.length > 0 && { scope: scopes.join(' ') }),
              refresh_token: credentials.identityToken,
            }).toString(),
            signal,
          },
          route,
        )
      : await sendFollowing(
          context,
          {
            method: 'GET',
            url: withQuery(realm, [
              ...(service === undefined ? [] : [['service', service] as const]),
              ...scopes.map((scope) => ['scope', scope] as const),
              ['client_id', 'kago'],
              ...(credentials === undefined ? [] : [['account', credentials.username] as const]),
              ...(wantsIdentityToken ? [['offline_token', 'true'] as const] : []),
            ]),
            headers: {
              accept: 'application/json',
              ...(credentials && {
                authorization: basicAuthorization(credentials.username, credentials.password),
              }),
            },
            signal,
          },
          route,
        )
  if (response.status !== 200) throw await tokenRefusal(context, access, realm, response)
  return await readToken(context, response, realm)
}

async function tokenRefusal(
  context: AuthContext,
  access: Access,
  realm: URL,
  response: Response,
): Promise<Error> {
  const { stallMs } = context.timeouts
  const isRefused = !isTransientStatus(response.status) && response.status < 500
  if (access.credentials === undefined || !isRefused)
    return await refusalFailure(
      response,
      access.what,
      access.registry,
      access.credentials !== undefined,
      stallMs,
    )
  const { text, status } = await readRefusal(response, stallMs)
  return new KagoError(
    'unauthenticated',
    `${access.registry} does not accept your login${text === '' ? '' : `: ${text}`}`,
    { hint: `log in again: kago login ${access.registry}`, details: { status, tokenServer: realm.host } },
  )
}

async function readToken(context: AuthContext, response: Response, realm: URL): Promise<Token> {
  const bytes = await readCapped(response, tokenAnswerLimit, context.timeouts.stallMs, 'a token')
  let answer: unknown
  try {
    answer = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // The parser's message would quote the answer, which may hold a token.
    answer = undefined
  }
  const fields = typeof answer === 'object' && answer !== null ? answer : {}
  const token = [Reflect.get(fields, 'token'), Reflect.get(fields, 'access_token')].find(
    (value): value is string => typeof value === 'string' && value !== '',
  )
  // It becomes a header: nothing but visible ASCII.
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token))
    throw new KagoError('unavailable', `the token server ${realm.host} answered without a usable token`)
  const expiresIn: unknown = Reflect.get(fields, 'expires_in')
  const identityToken: unknown = Reflect.get(fields, 'refresh_token')
  return {
    token,
    lifetimeSeconds: typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : defaultLifetimeSeconds,
    identityToken: typeof identityToken === 'string' && identityToken !== '' ? identityToken : undefined,
  }
}

function realmOf(challenge: Challenge, access: Access): URL {
  const text = challenge.parameters.get('realm')?.[0] ?? ''
  if (!URL.canParse(text))
    throw new KagoError('unavailable', `${access.registry} asks for a token and does not say where to get it`)
  const realm = new URL(text)
  checkDestination(realm, access.url, access.isInsecure)
  return realm
}

/** The challenge's own scopes: a registry knows best what it wants. To push, what will be needed next is asked for as well. */
function scopesOf(challenge: Challenge, access: Access): string[] {
  if (access.scope === undefined) return []
  const asked = (challenge.parameters.get('scope') ?? [])
    .flatMap((text) => text.split(' '))
    .filter((text) => text)
  const own = access.scope.split(' ')
  if (asked.length === 0) return own
  return access.scope.includes('push') ? [...new Set([...own, ...asked.slice(0, 20)])] : asked.slice(0, 20)
}

function withQuery(url: URL, parameters: (readonly [string, string])[]): URL {
  const result = new URL(url)
  for (const [name, value] of parameters) result.searchParams.append(name, value)
  return result
}

function keyOf({ url, scope, credentials }: Access): string {
  return `${url.origin} ${scope ?? ''} ${credentialsKey(credentials)}`
}
