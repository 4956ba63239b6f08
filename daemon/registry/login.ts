/** Tries out a login, for `kago login`; nothing is kept. */
import { KagoError } from '../../shared/errors.ts'
import { accessOf, type Question, schemeOf, urlOf } from './ask.ts'
import { requestToken } from './auth.ts'
import { parseChallenges } from './challenge.ts'
import type { RegistryContext } from './context.ts'
import { basicAuthorization, type Credentials } from './credentials.ts'
import { readRefusal, refusalFailure } from './diagnostics.ts'
import { sendFollowing } from './redirect.ts'
import { retrying } from './retry.ts'

export interface LoginResult {
  /** To be kept instead of the password, when the registry gives one. */
  identityToken?: string
}

/** @throws unauthenticated when the registry does not accept the credentials. */
export async function checkLogin(
  context: RegistryContext,
  registry: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<LoginResult> {
  return await retrying(context.retry, signal, undefined, async () => {
    return await tryLogin(context, registry, credentials, signal)
  })
}

async function tryLogin(
  context: RegistryContext,
  registry: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<LoginResult> {
  const endpoint = context.mirrors.origin(registry)
  const question: Question = { method: 'GET', repository: undefined, path: '', headers: {}, what: registry }
  const url = urlOf(await schemeOf(context, endpoint, signal), endpoint, question)
  const request = { method: 'GET' as const, url, headers: {}, signal }
  const route = { isInsecure: endpoint.isInsecure, isForeign: false }
  const { stallMs } = context.timeouts
  const first = await sendFollowing(context, request, route)
  if (first.status !== 401) {
    if (first.status !== 200) throw await refusalFailure(first, registry, registry, true, stallMs)
    await first.drain()
    // It lets everybody in: Docker calls that a success too.
    return {}
  }
  const challenges = parseChallenges(first.headers('www-authenticate'))
  await first.drain()
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
  const access = accessOf(url, endpoint, question, { credentials, signal })
  const token = bearer && (await requestToken(context, access, bearer, signal, true))
  const authorization = token === undefined ? basicOf(registry, credentials) : `Bearer ${token.token}`
  const second = await sendFollowing(context, { ...request, headers: { authorization } }, route)
  if (second.status === 401 || second.status === 403) {
    const { text } = await readRefusal(second, stallMs)
    throw new KagoError(
      'unauthenticated',
      `${registry} does not accept your login${text === '' ? '' : `: ${text}`}`,
      {
        hint: 'check the user name and the password',
      },
    )
  }
  if (second.status !== 200) throw await refusalFailure(second, registry, registry, true, stallMs)
  await second.drain()
  return token?.identityToken === undefined ? {} : { identityToken: token.identityToken }
}

function basicOf(registry: string, credentials: Credentials): string {
  if ('identityToken' in credentials)
    throw new KagoError('unauthenticated', `${registry} wants a user name and a password, not a token`)
  return basicAuthorization(credentials.username, credentials.password)
}
