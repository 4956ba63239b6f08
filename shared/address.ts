/** Internet addresses and subnets, both families, as numbers that can be compared and counted. Pure. */

export type Family = 4 | 6

export interface Address {
  readonly family: Family
  readonly value: bigint
}

/** A subnet by its first address; `prefix` is its length in bits. */
export interface Subnet {
  readonly family: Family
  readonly first: bigint
  readonly prefix: number
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128
}

/** Undefined for what is no address. IPv4 within IPv6 (`::ffff:1.2.3.4`) is IPv6. */
export function parseAddress(text: string): Address | undefined {
  const value = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value }
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return undefined
  const bytes = parts.map(Number)
  if (bytes.some((byte) => byte > 255)) return undefined
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

function parseIpv6(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const low = parseIpv4(dotted[2])
    if (low === undefined) return undefined
    return parseIpv6(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`)
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((value, group) => (value << 16n) | BigInt(Number.parseInt(group, 16)), 0n)
}

/** As RFC 5952 has it: lower case, the longest run of zeros left out. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  )
  const text = groups.join(':')
  const [longest] = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)]
    .map((match) => match[0])
    .toSorted((a, b) => b.length - a.length)
  if (longest === undefined) return text
  const at = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`))
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`
}

/** `10.0.0.0/8`; the bits after the prefix must be zero. Undefined for what is no subnet. */
export function parseSubnet(text: string): Subnet | undefined {
  const parsed = parseInterfaceAddress(text)
  if (parsed === undefined) return undefined
  const { address, prefix } = parsed
  const subnet = subnetOf(address, prefix)
  return subnet.first === address.value ? subnet : undefined
}

/** `10.1.2.3/8`: an address and the length of its subnet's prefix. */
export function parseInterfaceAddress(text: string): { address: Address; prefix: number } | undefined {
  const [head = '', tail = '', ...more] = text.split('/')
  const address = parseAddress(head)
  if (address === undefined || more.length > 0 || !/^\d{1,3}$/.test(tail)) return undefined
  const prefix = Number(tail)
  return prefix <= bitsOf(address.family) ? { address, prefix } : undefined
}

/** The subnet with that length of prefix in which an address lies. */
export function subnetOf({ family, value }: Address, prefix: number): Subnet {
  const free = BigInt(bitsOf(family) - prefix)
  return { family, first: (value >> free) << free, prefix }
}

export function formatSubnet({ family, first, prefix }: Subnet): string {
  return `${formatAddress({ family, value: first })}/${prefix}`
}

export function lastOf({ family, first, prefix }: Subnet): bigint {
  return first + (1n << BigInt(bitsOf(family) - prefix)) - 1n
}

export function containsAddress(subnet: Subnet, { family, value }: Address): boolean {
  return family === subnet.family && value >= subnet.first && value <= lastOf(subnet)
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.first <= lastOf(b) && b.first <= lastOf(a)
}
