import { describe, expect, it } from 'vitest'
import {
  localNames,
  type NameOptions,
  renderHosts,
  renderResolvConfFor,
} from '../../../../daemon/network/etc-text.ts'

const none: NameOptions = {
  network: 'none',
  hostname: 'box',
  endpoints: [],
  extraHosts: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  hostResolvConf: '/etc/resolv.conf',
}
const user = { addresses: ['10.64.1.2', 'fd00:1::2'], gateways: ['10.64.1.1', 'fd00:1::1'], hasNames: true }
const bridge = { addresses: ['10.64.0.2'], gateways: ['10.64.0.1'], hasNames: false }
const onUser: NameOptions = { ...none, network: 'own', endpoints: [user] }
const onBridge: NameOptions = { ...none, network: 'own', endpoints: [bridge] }

const host = {
  nameServers: ['127.0.0.53', '10.0.0.53', 'fe80::1%eth0', '2001:db8::53'],
  search: ['corp.example'],
  options: ['edns0', 'ndots:3'],
}
const hosts = { hosts: '127.0.0.1 localhost myhost\n' }

describe('/etc/hosts', () => {
  const added = (options: NameOptions) => renderHosts(options, hosts).replace(localNames, '')

  it('has the container under its addresses on each network', () => {
    expect(added({ ...onUser, endpoints: [user, bridge] })).toBe(
      '10.64.1.2\tbox\nfd00:1::2\tbox\n10.64.0.2\tbox\n',
    )
  })

  it('has a host name with a domain with and without it', () => {
    expect(added({ ...onBridge, hostname: 'box.corp.example' })).toBe('10.64.0.2\tbox.corp.example box\n')
  })

  it("of a container on the host is the host's", () => {
    expect(renderHosts({ ...none, network: 'host', extraHosts: ['db:10.1.1.1'] }, hosts)).toBe(
      '127.0.0.1 localhost myhost\n10.1.1.1\tdb\n',
    )
  })

  it('has the hosts that were asked for', () => {
    expect(added({ ...none, extraHosts: ['a:1.2.3.4', 'b=::1', 'c:[fd00::1]', 'd_1:fd00::2'] })).toBe(
      '1.2.3.4\ta\n::1\tb\nfd00::1\tc\nfd00::2\td_1\n',
    )
  })

  it('knows the host as host-gateway', () => {
    const extraHosts = ['up:host-gateway']
    expect(added({ ...onUser, extraHosts })).toMatch(/^10\.64\.1\.1\tup\nfd00:1::1\tup\n/)
    expect(added({ ...none, network: 'host', extraHosts })).toContain('127.0.0.1\tup\n')
    expect(() => added({ ...none, extraHosts })).toThrow('the container has no way to it')
  })

  it.each(['nobody', 'a:', ':1.2.3.4', 'a:1.2.3', 'a b:1.2.3.4', 'a:1.2.3.4\nx', 'a\n:1.2.3.4', 'a:host'])(
    'takes no %j',
    (text) => {
      expect(() => added({ ...none, extraHosts: [text] })).toThrow('not a host')
    },
  )
})

describe('/etc/resolv.conf', () => {
  it('on a network with names asks its name server, and never adds domains to a name without dots', () => {
    expect(renderResolvConfFor(onUser, host)).toBe(
      'nameserver 10.64.1.1\nsearch corp.example\noptions edns0 ndots:0\n',
    )
  })

  it('of a container on the default network and on one with names asks where the names are', () => {
    const both = { ...onUser, endpoints: [bridge, user] }
    expect(renderResolvConfFor(both, host)).toContain('nameserver 10.64.1.1\n')
  })

  it("on the default network has the host's servers, or the forwarder for those it cannot reach", () => {
    expect(renderResolvConfFor(onBridge, host)).toBe(
      'nameserver 10.64.0.1\nnameserver 10.0.0.53\nsearch corp.example\noptions edns0 ndots:3\n',
    )
    const withIpv6 = { ...bridge, gateways: ['10.64.0.1', 'fd00::1'] }
    expect(renderResolvConfFor({ ...onBridge, endpoints: [withIpv6] }, host)).toContain(
      'nameserver 2001:db8::53\n',
    )
  })

  it("of a container on the host is the host's, and without a network it is empty", () => {
    expect(renderResolvConfFor({ ...none, network: 'host' }, host)).toContain('nameserver 127.0.0.53\n')
    expect(renderResolvConfFor(none, host)).toBe('')
  })

  it('has what was asked for instead of what the host has', () => {
    const asked = { dns: ['9.9.9.9'], dnsSearch: ['a.example', 'b'], dnsOptions: ['timeout:1'] }
    const own = 'nameserver 9.9.9.9\nsearch a.example b\noptions timeout:1\n'
    for (const options of [none, { ...none, network: 'host' as const }, onBridge])
      expect(renderResolvConfFor({ ...options, ...asked }, host)).toBe(own)
    // The names of the network stay; its name server asks the servers that were given.
    expect(renderResolvConfFor({ ...onUser, ...asked }, host)).toBe(
      'nameserver 10.64.1.1\nsearch a.example b\noptions timeout:1 ndots:0\n',
    )
    expect(renderResolvConfFor({ ...onUser, dnsOptions: ['ndots:2'] }, host)).toContain('options ndots:2\n')
  })

  it('has no search domain when that was asked for', () => {
    expect(renderResolvConfFor({ ...onUser, dnsSearch: ['.'] }, host)).not.toContain('search')
  })

  it('asks a server in the container itself, and then that one alone', () => {
    expect(renderResolvConfFor({ ...onUser, dns: ['127.0.0.1'] }, host)).toContain('nameserver 127.0.0.1\n')
  })

  it.each([
    { dns: ['one.one.one.one'] },
    { dns: ['1.1.1.1\nsearch x'] },
    { dnsSearch: ['a b'] },
    { dnsSearch: [''] },
    { dnsOptions: ['a\nb'] },
  ])('takes no %j', (bad) => {
    expect(() => renderResolvConfFor({ ...none, ...bad }, host)).toThrow(/^not /)
  })
})
