/** Where plain HTTP is allowed, and where a redirect may lead. */
import { describe, expect, it } from 'vitest'
import { insecureHosts, isReachable } from '../../../../daemon/registry/addresses.ts'

describe('plain HTTP', () => {
  const hosts = insecureHosts([
    'plain.example',
    'Ports.example:5000',
    '10.1.0.0/16',
    'fd12::/16',
    '[fd99::1]:5000',
    'eighty.example:80',
  ])

  it.each([
    ['localhost', true],
    ['localhost:5000', true],
    ['127.0.0.1:5000', true],
    ['127.8.9.10', true],
    ['[::1]:5000', true],
    ['plain.example', true],
    ['plain.example:1234', true],
    ['ports.example:5000', true],
    ['eighty.example:80', true],
    ['10.1.255.1:5000', true],
    ['[fd12::5]', true],
    ['[fd99::1]:5000', true],
    ['ports.example', false],
    ['ports.example:5001', false],
    ['docker.io', false],
    ['localhost.example', false],
    ['127.0.0.1.example', false],
    ['10.2.0.1:5000', false],
    ['8.8.8.8', false],
    ['[fd13::5]', false],
  ])('to %s: %s', (host, isAllowed) => {
    expect(hosts.has(host)).toBe(isAllowed)
  })

  it('is known of URLs too, with and without the port that goes without saying', () => {
    expect(hosts.has(new URL('http://eighty.example/x'))).toBe(true)
    expect(hosts.has(new URL('https://eighty.example/x'))).toBe(false)
    expect(hosts.has(new URL('http://[::ffff:127.0.0.1]:5000/x'))).toBe(true)
  })

  it.each(['10.0.0.0/33', 'example/8', '10.0.0.0/x', '10.0.0.0/', '::/129', '10.0.0.0/8/8x'])(
    'cannot be allowed by %s',
    (entry) => {
      expect(() => insecureHosts([entry])).toThrow(
        expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(entry) }),
      )
    },
  )
})

describe('somebody else’s URL', () => {
  it.each([
    ['8.8.8.8', true, true],
    ['10.0.0.5', true, true],
    ['192.168.1.1', true, true],
    ['cdn.example', true, true],
    ['[2606:4700::1]', true, true],
    ['127.0.0.1', false, true],
    ['127.9.9.9', false, true],
    ['[::1]', false, true],
    ['[::ffff:127.0.0.1]', false, true],
    ['localhost', false, true],
    ['localhost.', false, true],
    ['a.localhost', false, true],
    ['169.254.169.254', false, false],
    ['169.254.170.2', false, false],
    ['[::ffff:169.254.169.254]', false, false],
    ['100.100.100.200', false, false],
    ['[fe80::1]', false, false],
    ['[fd00:ec2::254]', false, false],
    ['0.0.0.0', false, false],
    ['0.1.2.3', false, false],
    ['[::]', false, false],
    ['224.0.0.1', false, false],
    ['255.255.255.255', false, false],
    ['[ff02::1]', false, false],
  ])('may lead to %s: %s; from this machine’s own registry: %s', (host, fromOutside, fromLoopback) => {
    expect([isReachable(host, false), isReachable(host, true)]).toEqual([fromOutside, fromLoopback])
  })

  it.each([
    'http://2130706433/',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://127.1/',
    'http://%31%32%37.0.0.1/',
  ])('%s is loopback however it is spelled', (url) => {
    expect(isReachable(new URL(url).hostname, false)).toBe(false)
  })
})
