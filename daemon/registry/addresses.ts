/** Which hosts and addresses may be spoken to, and how. */
import { BlockList, isIP } from 'node:net'
import { KagoError } from '../../shared/errors.ts'

/** Loopback and what the configuration lists: here plain HTTP is allowed and certificates are not checked, as in Docker. */
export interface InsecureHosts {
  has(url: URL | string): boolean
}

/**
 * @param entries `host`, `host:port`, or a range as 10.0.0.0/8. A range is compared with addresses that are written in the
 * reference, never with what a name resolves to: that would leave the choice of TLS to whoever answers DNS.
 * @throws invalid_argument for an entry that is none of them.
 */
export function insecureHosts(entries: string[]): InsecureHosts {
  const ranges = new BlockList()
  const hosts = new Set<string>()
  ranges.addSubnet('127.0.0.0', 8, 'ipv4')
  ranges.addAddress('::1', 'ipv6')
  for (const entry of entries) {
    const slash = entry.indexOf('/')
    if (slash !== -1) addRange(ranges, entry, entry.slice(0, slash), entry.slice(slash + 1))
    else hosts.add(entry.toLowerCase())
  }
  return {
    has(url) {
      const { hostname, host } = typeof url === 'string' ? new URL(`https://${url}`) : url
      const bare = hostname.replace(/^\[|\]$/g, '')
      if (bare === 'localhost' || hosts.has(host) || hosts.has(hostname) || hosts.has(bare)) return true
      // A URL leaves its scheme's own port out, a configuration may write it.
      if (typeof url !== 'string' && url.port === '' && hosts.has(`${host}:${defaultPort(url)}`)) return true
      if (typeof url === 'string' && hosts.has(url.toLowerCase())) return true
      const family = isIP(bare)
      return family !== 0 && ranges.check(bare, family === 4 ? 'ipv4' : 'ipv6')
    },
  }
}

function addRange(ranges: BlockList, entry: string, address: string, bits: string): void {
  const family = isIP(address)
  if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    throw new KagoError(
      'invalid_argument',
      `insecureRegistries: not an address range: ${JSON.stringify(entry)}`,
      { hint: 'write host, host:port, or a range as 10.0.0.0/8' },
    )
  ranges.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
}

function defaultPort(url: URL): string {
  return url.protocol === 'https:' ? '443' : '80'
}

const neverForeign = new BlockList()
// Link-local, with the clouds' metadata services; AWS's and Alibaba's other ones; "this host"; multicast and reserved.
for (const [address, bits] of [
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['0.0.0.0', 8],
  ['224.0.0.0', 3],
] as const)
  neverForeign.addSubnet(address, bits, 'ipv4')
for (const [address, bits] of [
  ['fe80::', 10],
  ['fd00:ec2::', 32],
  ['ff00::', 8],
  ['::', 128],
] as const)
  neverForeign.addSubnet(address, bits, 'ipv6')

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * Whether a URL that somebody else chose (a redirect, a token server) may lead to this address.
 * Private networks may: companies' registries live there. Loopback only for a registry that is itself trusted with it.
 */
export function isReachable(address: string, allowsLoopback: boolean): boolean {
  const bare = address.replace(/^\[|\]$/g, '')
  const family = isIP(bare)
  if (family === 0) return allowsLoopback || !/^localhost\.?$|\.localhost\.?$/.test(bare)
  // The block lists see an IPv4 address that is mapped into IPv6 as what it is.
  const type = family === 4 ? 'ipv4' : 'ipv6'
  return !neverForeign.check(bare, type) && (allowsLoopback || !loopback.check(bare, type))
}
