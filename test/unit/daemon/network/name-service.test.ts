import { expect, it, onTestFinished } from 'vitest'
import { parseAddress } from '../../../../daemon/network/dns/addresses.ts'
import {
  announceContainer,
  closeNames,
  createNameService,
  openNames,
} from '../../../../daemon/network/name-service.ts'
import type { Network } from '../../../../daemon/network/records.ts'
import type { EndpointRow } from '../../../../daemon/state/networks.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const network: Network = {
  id: 'n1',
  name: 'shop',
  bridge: 'kg-n1',
  createdAt: 0,
  labels: {},
  options: {},
  isInternal: true,
  mtu: null,
  subnets: [{ subnet: '127.0.0.0/8', gateway: '127.0.0.1' }],
}
const row = (ipv4: string | null): EndpointRow => ({
  containerId: 'c'.repeat(64),
  networkId: 'n1',
  position: 0,
  aliases: '["www"]',
  wantedIpv4: null,
  wantedIpv6: null,
  wantedMac: null,
  lastIpv4: null,
  lastIpv6: null,
  ipv4,
  ipv6: null,
  mac: null,
  interface: 'eth0',
})

it('what is announced of a container is what its endpoints hold', async () => {
  const nameService = createNameService(log, '/etc/resolv.conf')
  onTestFinished(() => nameService.server.close())
  const port = await openNames(nameService, network)
  expect(nameService.server.portOf('n1')).toBe(port)
  const rows = [row('127.0.0.5')]
  const none = () => {
    throw new Error('not asked for')
  }
  const endpoints = {
    find: none,
    ofContainer: () => rows,
    networkNames: none,
    ofNetwork: none,
    attached: none,
    holderOf: none,
    holderOfMac: none,
    insert: none,
    hold: none,
    release: none,
    remove: none,
    orphans: none,
  }
  const source = parseAddress('127.0.0.1')
  const known = (name: string) =>
    source &&
    nameService.names
      .view('n1', source)
      ?.networks[0]?.addressesOf(name)
      ?.map(({ text }) => text)
  const container = { id: 'c'.repeat(64), name: 'web', hostname: 'box', dns: [] }

  announceContainer({ nameService, endpoints }, container)
  for (const name of ['web', 'www', 'box', 'cccccccccccc']) expect(known(name)).toEqual(['127.0.0.5'])
  announceContainer({ nameService, endpoints }, { ...container, name: 'shop' })
  expect([known('web'), known('shop')]).toEqual([undefined, ['127.0.0.5']])
  rows.splice(0, 1, row(null))
  announceContainer({ nameService, endpoints }, container)
  expect(known('web')).toBeUndefined()

  await closeNames(nameService, 'n1')
  expect(nameService.server.portOf('n1')).toBeUndefined()
})
