/** Which addresses endpoints get, with the real tables in a database of the test's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findAddresses } from '../../../../daemon/network/ipam.ts'
import { planEndpoint } from '../../../../daemon/network/members.ts'
import { type Network, readEndpoint, readNetwork } from '../../../../daemon/network/records.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { endpointTable, type EndpointTable, networkTable } from '../../../../daemon/state/networks.ts'

let directory: string
let database: Database
let endpoints: EndpointTable
let cursors: Map<string, bigint>
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-ipam-'))
  database = openDatabase(join(directory, 'kago.db'))
  endpoints = endpointTable(database)
  cursors = new Map()
})
afterEach(() => {
  database.close()
  rmSync(directory, { recursive: true })
})

function network(...subnets: Network['subnets']): Network {
  const row = {
    id: 'n1',
    name: 'web',
    bridge: 'kg-1',
    createdAt: 0,
    record: JSON.stringify({ labels: {}, options: {}, isInternal: false, mtu: null, subnets }),
  }
  networkTable(database).insert(row)
  return readNetwork(row)
}

/** Leases as a start does: find, then write down. */
function lease(containerId: string, of: Network, options: Parameters<typeof planEndpoint>[3] = {}) {
  if (endpoints.find(containerId, of.id) === undefined)
    endpoints.insert([planEndpoint(containerId, of, 0, options)], 'quick')
  const row = endpoints.find(containerId, of.id)
  if (row === undefined) throw new Error('no endpoint')
  const context = { endpoints, memory: { cursors }, containers: { find: () => undefined } }
  const found = findAddresses(context, of, readEndpoint(row))
  endpoints.hold(containerId, [{ networkId: of.id, ...found, interface: 'eth0' }])
  return found
}

test('one after the other; neither the subnet, nor its gateway, nor its broadcast address', () => {
  const small = network({ subnet: '10.5.0.0/29', gateway: '10.5.0.3' })
  const all = ['a', 'b', 'c', 'd', 'e'].map((id) => lease(id, small).ipv4)
  expect(all).toEqual(['10.5.0.1', '10.5.0.2', '10.5.0.4', '10.5.0.5', '10.5.0.6'])
  expect(() => lease('f', small)).toThrow(
    expect.objectContaining({ code: 'exhausted', message: 'network web has no free IPv4 address left' }),
  )
  endpoints.release('c')
  expect(lease('f', small).ipv4).toBe('10.5.0.4')
})

test('what was given back comes round as late as it can', () => {
  const small = network({ subnet: '10.5.0.0/29', gateway: '10.5.0.1' })
  expect(lease('a', small).ipv4).toBe('10.5.0.2')
  endpoints.release('a')
  endpoints.remove('a')
  expect(['b', 'c', 'd', 'e', 'f'].map((id) => lease(id, small).ipv4)).toEqual([
    '10.5.0.3',
    '10.5.0.4',
    '10.5.0.5',
    '10.5.0.6',
    '10.5.0.2',
  ])
})

test('the one it had last, unless somebody has it', () => {
  const net = network({ subnet: '10.5.0.0/24', gateway: '10.5.0.1' })
  lease('a', net)
  lease('b', net)
  endpoints.release('a')
  expect(lease('a', net).ipv4).toBe('10.5.0.2')
  endpoints.release('a')
  expect(lease('c', net, { ipv4Address: '10.5.0.2' }).ipv4).toBe('10.5.0.2')
  expect(lease('a', net).ipv4).toBe('10.5.0.4')
})

test('of the range only, but outside it for who asks', () => {
  const net = network({ subnet: '10.5.0.0/16', gateway: '10.5.0.1', ipRange: '10.5.7.0/30' })
  expect(['a', 'b', 'c'].map((id) => lease(id, net).ipv4)).toEqual(['10.5.7.1', '10.5.7.2', '10.5.7.3'])
  expect(lease('d', net, { ipv4Address: '10.5.200.9' }).ipv4).toBe('10.5.200.9')
  expect(lease('e', net).ipv4).toBe('10.5.7.0')
  expect(() => lease('f', net)).toThrow('no free IPv4 address')
})

test('both families, and a MAC address that stands for the IPv4 one', () => {
  const net = network(
    { subnet: '10.5.0.0/24', gateway: '10.5.0.1' },
    { subnet: 'fd00:5::/64', gateway: 'fd00:5::1' },
  )
  expect(lease('a', net)).toEqual({ ipv4: '10.5.0.2', ipv6: 'fd00:5::2', mac: '02:6b:0a:05:00:02' })
  expect(lease('b', net, { ipv6Address: 'FD00:5:0::Beef' })).toMatchObject({ ipv6: 'fd00:5::beef' })
  expect(() => lease('c', net, { ipv6Address: 'fd00:5::beef' })).toThrow('held by container b')
})

test.each([
  ['02:00:00:00:00', 'not the MAC address of a link'],
  ['03:00:00:00:00:01', 'not the MAC address of a link'],
  ['00:00:00:00:00:00', 'not the MAC address of a link'],
])('the MAC address %s is refused', (macAddress, why) => {
  const net = network({ subnet: '10.5.0.0/24', gateway: '10.5.0.1' })
  expect(() => lease('a', net, { macAddress })).toThrow(why)
})

test('a MAC address is had by one only', () => {
  const net = network({ subnet: '10.5.0.0/24', gateway: '10.5.0.1' })
  expect(lease('a', net, { macAddress: '02-AA-00-00-00-01' }).mac).toBe('02:aa:00:00:00:01')
  expect(() => lease('b', net, { macAddress: '02:aa:00:00:00:01' })).toThrow(
    'the MAC address 02:aa:00:00:00:01 in network web is held by container a',
  )
})

test('an alias that is no name is refused', () => {
  const net = network({ subnet: '10.5.0.0/24', gateway: '10.5.0.1' })
  expect(() => planEndpoint('a', net, 0, { aliases: ['a b'] })).toThrow('not a name for a container')
  expect(planEndpoint('a', net, 0, { aliases: ['x', 'x', 'y'] }).aliases).toBe('["x","y"]')
})
