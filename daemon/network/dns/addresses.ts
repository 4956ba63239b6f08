/** Addresses as DNS needs them: one spelling each, subnets, and the names under which they are looked up backwards. */
import { BlockList, isIP, SocketAddress } from 'node:net'

export interface Address {
  family: 4 | 6
  /** As inet_ntop(3) writes it: equal addresses have equal texts. */
  text: string
}

/** Undefined for what is no address. An IPv4 address in IPv6's clothes is an IPv4 address. */
export function parseAddress(text: string): Address | undefined {
  const bare = text.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = isIP(bare)
  if (family === 4) return { family, text: bare }
  if (family !== 6) return undefined
  return { family, text: new SocketAddress({ address: bare, family: 'ipv6' }).address }
}

export interface Subnets {
  contains(address: Address): boolean
}

/** `subnets` are `address/length`; what is not written so is left out. */
export function subnetsOf(subnets: readonly string[]): Subnets {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [base = '', length = ''] = subnet.split('/')
    const address = parseAddress(base)
    if (address !== undefined && /^\d+$/.test(length))
      list.addSubnet(address.text, Number(length), familyName(address))
  }
  return { contains: (address) => list.check(address.text, familyName(address)) }
}

export function familyName({ family }: Address): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6'
}

/** Whether only the machine itself, or only with the name of one of its links, can reach the address. */
export function isOnlyForHost(text: string): boolean {
  const address = parseAddress(text)
  if (address === undefined) return true
  return address.family === 4
    ? address.text.startsWith('127.') || address.text === '0.0.0.0'
    : address.text === '::1' || address.text === '::' || /^fe[89ab]/.test(address.text)
}

const v4Suffix = '.in-addr.arpa'
const v6Suffix = '.ip6.arpa'

/** `2.0.17.172.in-addr.arpa` is 172.17.0.2 (RFC 1035, 3.5; RFC 3596, 2.5). Undefined for other names. */
export function readPointerName(name: string): Address | undefined {
  if (name.endsWith(v4Suffix)) {
    const parts = name.slice(0, -v4Suffix.length).split('.')
    return parts.length === 4 ? parseAddress(parts.reverse().join('.')) : undefined
  }
  if (!name.endsWith(v6Suffix)) return undefined
  const digits = name.slice(0, -v6Suffix.length).split('.')
  if (digits.length !== 32 || digits.some((digit) => !/^[0-9a-f]$/.test(digit))) return undefined
  const groups = digits
    .reverse()
    .join('')
    .replace(/.{4}(?=.)/g, '$&:')
  return parseAddress(groups)
}
