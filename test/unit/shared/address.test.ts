/** Addresses and subnets as text and as numbers. */
import { expect, test } from 'vitest'
import {
  containsAddress,
  formatAddress,
  formatSubnet,
  lastOf,
  overlaps,
  parseAddress,
  parseInterfaceAddress,
  parseSubnet,
  subnetOf,
} from '../../../shared/address.ts'

const round = (text: string) => {
  const address = parseAddress(text)
  return address && formatAddress(address)
}
const subnet = (text: string) => {
  const parsed = parseSubnet(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

test.each([
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['10.1.2.3', '10.1.2.3'],
  ['::', '::'],
  ['::1', '::1'],
  ['FD00:0:0:1::0', 'fd00:0:0:1::'],
  ['fe80::1:0:0:1', 'fe80::1:0:0:1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['2001:0:0:10:0:0:0:1', '2001:0:0:10::1'],
  ['::ffff:1.2.3.4', '::ffff:102:304'],
])('%s is written %s', (text, written) => {
  expect(round(text)).toBe(written)
})

test.each([
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.5',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  'g::',
  '1.2.3.4/8',
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined()
})

test('a subnet has no bits after its prefix, and knows what lies in it', () => {
  expect(parseSubnet('10.0.0.1/8')).toBeUndefined()
  expect(parseSubnet('10.0.0.0/33')).toBeUndefined()
  expect(parseSubnet('10.0.0.0')).toBeUndefined()
  const net = subnet('10.64.16.0/20')
  expect(formatSubnet(net)).toBe('10.64.16.0/20')
  expect(formatAddress({ family: 4, value: lastOf(net) })).toBe('10.64.31.255')
  const inside = parseInterfaceAddress('10.64.31.7/20')
  expect(inside && containsAddress(net, inside.address)).toBe(true)
  expect(inside && formatSubnet(subnetOf(inside.address, inside.prefix))).toBe('10.64.16.0/20')
  expect(formatAddress({ family: 6, value: lastOf(subnet('fd00::/64')) })).toBe('fd00::ffff:ffff:ffff:ffff')
})

test('subnets overlap when one lies in the other', () => {
  expect(overlaps(subnet('10.0.0.0/8'), subnet('10.9.0.0/16'))).toBe(true)
  expect(overlaps(subnet('10.8.0.0/16'), subnet('10.9.0.0/16'))).toBe(false)
  expect(overlaps(subnet('0.0.0.0/0'), subnet('::/0'))).toBe(false)
})
