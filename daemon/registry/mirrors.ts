/** Where to ask for a registry's content: its mirrors in order, then itself. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { apiHost } from '../../shared/reference.ts'
import type { InsecureHosts } from './addresses.ts'
import type { Endpoint } from './endpoint.ts'

export interface RegistryMirrors {
  /** Never empty; the registry itself is the last. Mirrors that failed lately are left out. */
  endpoints(registry: string): Endpoint[]
  /** Other kagods, for what has a digest; those that failed lately are left out. */
  peers(registry: string): Endpoint[]
  /** The registry itself. */
  origin(registry: string): Endpoint
  /** A mirror did not answer: it is not asked for a while, so that not every layer waits for it. */
  avoid(endpoint: Endpoint, error: unknown): void
}

const avoidMs = 60_000

/**
 * @param mirrors per registry (`docker.io`, `quay.io`, …) a list of `https://host[:port][/path]`; without a scheme it is
 * https. Plain http needs the host to be loopback or among the insecure registries.
 * @param peers the URLs of other kagods, with `NAME:PASSWORD@` before the host if they want that.
 * @throws invalid_argument for what is no such URL.
 */
export function registryMirrors(
  mirrors: Record<string, string[]>,
  insecure: InsecureHosts,
  peers: string[] = [],
): RegistryMirrors {
  const table = new Map<string, Endpoint[]>()
  const avoided = new Map<string, number>()
  const others = peers.map((url) => parsePeer(url, insecure))
  const isUsable = (endpoint: Endpoint) => (avoided.get(keyOf(endpoint)) ?? 0) <= performance.now()
  for (const [registry, urls] of Object.entries(mirrors)) {
    const name = registry === 'index.docker.io' || registry === apiHost('docker.io') ? 'docker.io' : registry
    table.set(
      name.toLowerCase(),
      urls.map((url) => parseMirror(name, url, insecure)),
    )
  }
  return {
    endpoints(registry) {
      return [...(table.get(registry) ?? []).filter(isUsable), this.origin(registry)]
    },
    peers(registry) {
      return others.filter(isUsable).map((peer) => ({ ...peer, registry, prefix: prefixAt(registry) }))
    },
    origin(registry) {
      const host = apiHost(registry)
      const isInsecure = insecure.has(host)
      return {
        registry,
        host,
        scheme: isInsecure ? undefined : 'https:',
        prefix: '',
        isMirror: false,
        isInsecure,
      }
    },
    avoid(endpoint, error) {
      if (isKagoError(error, 'unavailable', 'timed_out'))
        avoided.set(keyOf(endpoint), performance.now() + avoidMs)
    },
  }
}

/** A peer that does not answer for one registry does not for another. */
function keyOf({ isPeer, host, prefix }: Endpoint): string {
  return isPeer === true ? `peer ${host}` : `${host}/${prefix}`
}

/** Under which path a kagod offers what it has of a registry. */
function prefixAt(registry: string): string {
  return `${registry.replace(/:(\d+)$/, '_$1')}/`
}

function parsePeer(text: string, insecure: InsecureHosts): Endpoint {
  const url = parseUrl(text.includes('://') ? text : `https://${text}`)
  const { username = '', password = '' } = url ?? {}
  if (url === undefined || /%(?![0-9a-fA-F]{2})/.test(username + password))
    throw new KagoError('invalid_argument', 'peers: not the URL of a kagod', {
      hint: 'write https://host:port, with NAME:PASSWORD@ before the host if it wants that',
    })
  url.username = ''
  url.password = ''
  const endpoint = parseMirror('', url.href, insecure, 'peers')
  if (endpoint.prefix !== '')
    throw new KagoError('invalid_argument', `peers: ${url.host} has a path behind it`, {
      hint: 'write http://host:port',
    })
  const credentials = { username: unescapeBytes(username), password: unescapeBytes(password) }
  return { ...endpoint, isPeer: true, ...(username !== '' && { credentials }) }
}

/** Bytes that are no UTF-8 would throw in decodeURIComponent, with the password in its message. */
function unescapeBytes(text: string): string {
  return Buffer.from(
    text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8')
}

function parseMirror(registry: string, text: string, insecure: InsecureHosts, key = 'mirrors'): Endpoint {
  const url = parseUrl(text.includes('://') ? text : `https://${text}`)
  const isWeb = url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:')
  if (!isWeb || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new KagoError(
      'invalid_argument',
      `${key}: not the URL of a mirror${registry === '' ? '' : ` for ${registry}`}`,
      {
        hint: 'write https://host, https://host:port or https://host/path',
      },
    )
  const isInsecure = insecure.has(url)
  if (url.protocol === 'http:' && !isInsecure)
    throw new KagoError('invalid_argument', `${key}: ${url.host} would be asked without TLS`, {
      hint: `add ${JSON.stringify(url.host)} to insecureRegistries if that is meant`,
    })
  // People paste the API's base; the path below it is the same.
  const path = url.pathname.replace(/^\/(?:v2(?:\/|$))?/, '').replace(/\/+$/, '')
  return {
    registry,
    host: url.host,
    scheme: url.protocol === 'https:' ? 'https:' : 'http:',
    prefix: path === '' ? '' : `${path}/`,
    isMirror: true,
    isInsecure,
  }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
