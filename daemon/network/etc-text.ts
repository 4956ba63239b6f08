/** What stands in a container's /etc/hosts and /etc/resolv.conf. Pure. */
import { isIP } from 'node:net'
import { KagoError } from '../../shared/errors.ts'
import { isOnlyForHost } from './dns/addresses.ts'
import { type ResolvConf, renderResolvConf } from './resolv-conf.ts'

export interface NameOptions {
  /** `none`: no network but loopback; `host`: the host's names are the base; `own`: it is on the networks below. */
  network: 'none' | 'host' | 'own'
  hostname: string
  /** The one that leads to the world first. */
  endpoints: readonly EndpointNames[]
  /** `name:address`, or `name:host-gateway` for the host as the container sees it. */
  extraHosts: readonly string[]
  /** Instead of the host's servers, search domains and options. A search domain `.` means none at all. */
  dns: readonly string[]
  dnsSearch: readonly string[]
  dnsOptions: readonly string[]
  /** The file that says what the host's are. */
  hostResolvConf: string
}

/** What a container has on one network. */
export interface EndpointNames {
  addresses: readonly string[]
  /** The network's own addresses on the host, where the name server listens. */
  gateways: readonly string[]
  /** Whether the network has names of its own: then its name server is asked for everything. */
  hasNames: boolean
}

export interface HostFiles {
  hosts: string
  resolvConf: ResolvConf
}

export const localNames = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`

/** @throws invalid_argument for what is no host. */
export function renderHosts(options: NameOptions, host: Pick<HostFiles, 'hosts'>): string {
  const { network, endpoints, extraHosts, hostname } = options
  const base = network === 'host' ? host.hosts : localNames
  const domain = hostname.indexOf('.')
  const names = domain > 0 ? `${hostname} ${hostname.slice(0, domain)}` : hostname
  const own = endpoints.flatMap(({ addresses }) => addresses.map((address) => `${address}\t${names}\n`))
  return [base, ...extraHosts.map((text) => renderExtraHost(text, options)), ...own].join('')
}

/** An IPv6 address may stand in brackets; as in Docker `=` may stand for the first colon. */
function renderExtraHost(text: string, options: NameOptions): string {
  const at = text.search(/[:=]/)
  const name = text.slice(0, at)
  const given = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')
  if (at > 0 && /^[\w.-]+$/.test(name)) {
    if (given === 'host-gateway') {
      return gatewaysOf(options, name)
        .map((address) => `${address}\t${name}\n`)
        .join('')
    }
    if (isIP(given) !== 0) return `${given}\t${name}\n`
  }
  throw new KagoError('invalid_argument', `not a host: ${JSON.stringify(text)}`, {
    hint: 'write NAME:ADDRESS or NAME:host-gateway',
  })
}

function gatewaysOf({ network, endpoints }: NameOptions, name: string): readonly string[] {
  if (network === 'host') return ['127.0.0.1']
  const gateways = endpoints[0]?.gateways ?? []
  if (network === 'own' && gateways.length > 0) return gateways
  throw new KagoError('invalid_argument', `${name} cannot be the host: the container has no way to it`, {
    hint: 'put the container on a network: --network bridge',
  })
}

/** @throws invalid_argument naming what is no server, domain or option. */
export function resolvConfFor(options: NameOptions, host: ResolvConf): ResolvConf {
  checkDns(options)
  const { network, dns, dnsSearch, dnsOptions } = options
  const from = network === 'none' ? { nameServers: [], search: [], options: [] } : host
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== '.') : from.search
  const endpoint = network === 'own' ? options.endpoints.find(({ hasNames }) => hasNames) : undefined
  if (endpoint !== undefined && !dns.some(isOnlyForHost)) {
    const nameServers = endpoint.gateways.slice(0, 1)
    return { nameServers, search, options: withoutDots(dnsOptions, from.options) }
  }
  const chosen = dnsOptions.length > 0 ? dnsOptions : from.options
  if (dns.length > 0 || network !== 'own')
    return { nameServers: dns.length > 0 ? dns : from.nameServers, search, options: chosen }
  return {
    nameServers: reachable(from.nameServers, options.endpoints[0]?.gateways ?? []),
    search,
    options: chosen,
  }
}

export function renderResolvConfFor(options: NameOptions, host: ResolvConf): string {
  return renderResolvConf(resolvConfFor(options, host))
}

/** Names without a dot are whole names here, and must not be tried with the host's search domains first. */
function withoutDots(given: readonly string[], hosts: readonly string[]): readonly string[] {
  const isDots = (option: string) => option.startsWith('ndots:')
  if (given.length > 0) return given.some(isDots) ? given : [...given, 'ndots:0']
  return [...hosts.filter((option) => !isDots(option)), 'ndots:0']
}

/** The name server at the gateway stands in for servers that only the host can reach. */
function reachable(servers: readonly string[], gateways: readonly string[]): readonly string[] {
  const [gateway] = gateways
  if (gateway === undefined) return servers.filter((server) => !isOnlyForHost(server))
  const families = new Set(gateways.map(isIP))
  const isReachable = (server: string) => !isOnlyForHost(server) && families.has(isIP(server))
  return [...new Set(servers.map((server) => (isReachable(server) ? server : gateway)))]
}

function checkDns({ dns, dnsSearch, dnsOptions }: NameOptions): void {
  const check = (values: readonly string[], pattern: (value: string) => boolean, what: string) => {
    const bad = values.find((value) => !pattern(value))
    if (bad !== undefined) throw new KagoError('invalid_argument', `not ${what}: ${JSON.stringify(bad)}`)
  }
  check(dns, (server) => isIP(server) !== 0, 'the address of a name server')
  check(dnsSearch, (domain) => /^(\.|[\w.-]+)$/.test(domain), 'a search domain')
  check(dnsOptions, (option) => /^[\w:.-]+$/.test(option), 'an option of resolv.conf')
}
