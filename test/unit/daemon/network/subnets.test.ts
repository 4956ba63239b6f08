/** Which subnet a new network gets. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatSubnet, overlaps, parseSubnet } from '../../../../shared/address.ts'
import { chooseSubnet, refuseTaken } from '../../../../daemon/network/subnets.ts'

const taken = (...subnets: string[]) =>
  subnets.map((text) => {
    const subnet = parseSubnet(text)
    if (subnet === undefined) throw new Error(text)
    return { subnet, by: `the owner of ${text}` }
  })
const choose = (base: string, size: number, ...others: string[]) =>
  formatSubnet(chooseSubnet([{ base, size }], base.includes(':') ? 6 : 4, taken(...others)))

test('the first of the pool that nobody has', () => {
  expect(choose('10.64.0.0/12', 20)).toBe('10.64.0.0/20')
  expect(choose('10.64.0.0/12', 20, '10.64.0.0/20', '10.64.16.0/24')).toBe('10.64.32.0/20')
  expect(choose('10.64.0.0/12', 20, '10.64.0.0/13')).toBe('10.72.0.0/20')
  expect(choose('fd01::/48', 64, 'fd01::/64')).toBe('fd01:0:0:1::/64')
})

test('the next pool when one is full, and an error when all are', () => {
  const pools = [
    { base: '10.0.0.0/24', size: 25 },
    { base: '10.1.0.0/24', size: 24 },
  ]
  const one = taken('10.0.0.0/23')
  expect(formatSubnet(chooseSubnet(pools, 4, one))).toBe('10.1.0.0/24')
  expect(() => chooseSubnet(pools, 4, taken('10.0.0.0/8'))).toThrow(
    expect.objectContaining({
      code: 'exhausted',
      message: 'no free IPv4 subnet is left in the address pools',
    }),
  )
})

test('IPv6 without a pool is a random local one', () => {
  const [first, second] = [chooseSubnet([], 6, []), chooseSubnet([], 6, [])].map(formatSubnet)
  expect(first).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/)
  expect(second).not.toBe(first)
})

test('what is chosen overlaps with nothing, whatever is taken', () => {
  const subnet = fc
    .tuple(fc.integer({ min: 0, max: 0xfffff }), fc.integer({ min: 12, max: 32 }))
    .map(([offset, prefix]) => {
      const free = BigInt(32 - prefix)
      return { family: 4, first: ((0x0a400000n + BigInt(offset)) >> free) << free, prefix } as const
    })
  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 40 }), fc.integer({ min: 16, max: 28 }), (others, size) => {
      const list = others.map((one) => ({ subnet: one, by: 'x' }))
      try {
        const chosen = chooseSubnet([{ base: '10.64.0.0/12', size }], 4, list)
        return !others.some((one) => overlaps(one, chosen))
      } catch {
        // Exhausted: then every block of that size must be touched.
        for (let first = 0x0a400000n; first < 0x0a500000n; first += 1n << BigInt(32 - size)) {
          const block = { family: 4, first, prefix: size } as const
          if (!others.some((one) => overlaps(one, block))) return false
        }
        return true
      }
    }),
    { numRuns: 200 },
  )
})

test('a subnet that is taken is refused with its owner', () => {
  const asked = taken('10.5.0.0/16')[0]?.subnet
  if (asked === undefined) throw new Error('no subnet')
  expect(() => {
    refuseTaken(asked, taken('172.16.0.0/12', '10.5.9.0/24'))
  }).toThrow('subnet 10.5.0.0/16 overlaps with 10.5.9.0/24 of the owner of 10.5.9.0/24')
})
