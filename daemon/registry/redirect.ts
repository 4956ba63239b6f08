/** Follows redirects: to where they may lead, and without credentials once they leave their origin. */
import { KagoError } from '../../shared/errors.ts'
import { type InsecureHosts, isReachable } from './addresses.ts'
import { forbiddenDestination, networkFailure } from './network-failure.ts'
import type { Request, Response, Route, Send } from './transport.ts'

const hopLimit = 8
const redirects = [301, 302, 303, 307, 308]
/** Those that mean the same request, body and all, somewhere else. */
const repeating = [307, 308]

/**
 * Sends a request and follows where it leads; what changes something is only sent on as it is.
 * Between hops: no credentials to another origin, and none again after that; no way from https to http; and no way to
 * link-local or metadata addresses, nor to loopback unless the first host is trusted with this machine anyway.
 */
export async function sendFollowing(
  context: { send: Send; insecure: InsecureHosts },
  request: Request,
  route: Route,
): Promise<Response> {
  let { url, headers } = request
  let current = route
  for (let hop = 0; ; hop += 1) {
    const response = await sendOnce(context, { ...request, url, headers }, current)
    const location = response.header('location')
    const followed = request.method === 'GET' || request.method === 'HEAD' ? redirects : repeating
    if (!followed.includes(response.status) || location === undefined) return response
    await response.drain()
    if (hop === hopLimit)
      throw new KagoError('unavailable', `${request.url.host} redirects more than ${hopLimit} times`)
    const target = parseTarget(location, url)
    checkDestination(target, url, route.isInsecure)
    if (target.origin !== url.origin) {
      headers = Object.fromEntries(
        Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
      )
      current = { isInsecure: context.insecure.has(target), isForeign: !route.isInsecure }
    }
    url = target
  }
}

/** One exchange whose failures are those of diagnostics.ts. */
export async function sendOnce(context: { send: Send }, request: Request, route: Route): Promise<Response> {
  try {
    return await context.send(request, route)
  } catch (error) {
    throw networkFailure(error, request.url)
  }
}

/**
 * Whether a URL that a server chose may be asked.
 * @param allowsLoopback the server that chose it is on this machine or trusted as if it were.
 * @throws permission_denied if not.
 */
export function checkDestination(target: URL, from: URL, allowsLoopback: boolean): void {
  const isDowngrade = target.protocol === 'http:' && from.protocol === 'https:'
  const isWeb = target.protocol === 'https:' || target.protocol === 'http:'
  if (!isWeb || isDowngrade)
    throw new KagoError(
      'permission_denied',
      `${from.host} sends kago to a URL without TLS or of another kind (${target.protocol}//), which is refused`,
      { hint: 'tell the owner of the registry' },
    )
  if (target.username !== '' || target.password !== '' || !isReachable(target.hostname, allowsLoopback))
    throw forbiddenDestination(target)
}

function parseTarget(location: string, base: URL): URL {
  if (location.length <= 16 * 1024 && URL.canParse(location, base.href)) return new URL(location, base)
  throw new KagoError('unavailable', `${base.host} redirects to what is no URL`)
}
