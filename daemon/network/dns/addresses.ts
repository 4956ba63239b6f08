/** Addresses as DNS needs them: one spelling each, and the names under which they are looked up backwards. */
import {
  type Address as Value,
  containsAddress,
  formatAddress,
  parseAddress as parse,
  parseSubnet,
} from '../../../shared/address.ts'

export interface Address extends Value {
  /** The one spelling: equal addresses have equal texts. */
  readonly text: string
}

/** Undefined for what is no address. An IPv4 address in IPv6's clothes is an IPv4 address; the link's name is left out. */
export function parseAddress(text: string): Address | undefined {
  const address = parse(text.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''))
  return address && { ...address, text: formatAddress(address) }
}

/** Whether one of `subnets` (`address/length`) has the address. */
export function subnetsOf(subnets: readonly string[]): (address: Address) => boolean {
  const parsed = subnets.map(parseSubnet).filter((subnet) => subnet !== undefined)
  return (address) => parsed.some((subnet) => containsAddress(subnet, address))
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
