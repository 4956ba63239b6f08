/** Mirrors: where they are, in which order, and when they are left out. */
import { describe, expect, it } from 'vitest'
import { insecureHosts } from '../../../../daemon/registry/addresses.ts'
import { registryMirrors } from '../../../../daemon/registry/mirrors.ts'
import { KagoError } from '../../../../shared/errors.ts'

const insecure = insecureHosts(['plain.example'])
const hosts = (mirrors: Record<string, string[]>, registry = 'docker.io') =>
  registryMirrors(mirrors, insecure)
    .endpoints(registry)
    .map(({ scheme = 'any:', host, prefix }) => `${scheme}//${host}/${prefix}`)

describe('a registry', () => {
  it('without mirrors is asked itself, by the host that serves it', () => {
    expect(hosts({})).toEqual(['https://registry-1.docker.io/'])
    expect(hosts({}, 'localhost:5000')).toEqual(['any://localhost:5000/'])
  })

  it('is asked after its mirrors, in their order', () => {
    const mirrors = {
      'docker.io': ['https://b.example', 'a.example:5000', 'http://plain.example/'],
      'quay.io': ['q.example'],
    }
    expect(hosts(mirrors)).toEqual([
      'https://b.example/',
      'https://a.example:5000/',
      'http://plain.example/',
      'https://registry-1.docker.io/',
    ])
    expect(hosts(mirrors, 'quay.io')).toEqual(['https://q.example/', 'https://quay.io/'])
    expect(hosts(mirrors, 'ghcr.io')).toEqual(['https://ghcr.io/'])
  })

  it('has mirrors under any of the Hub’s names', () => {
    expect(hosts({ 'index.docker.io': ['a.example'] })[0]).toBe('https://a.example/')
    expect(hosts({ 'registry-1.docker.io': ['a.example'] })[0]).toBe('https://a.example/')
  })

  it('may be mirrored below a path', () => {
    expect(
      hosts({
        'docker.io': ['https://a.example/proxy/hub/', 'https://b.example/v2/', 'https://c.example/v2/x'],
      }),
    ).toEqual([
      'https://a.example/proxy/hub/',
      'https://b.example/',
      'https://c.example/x/',
      'https://registry-1.docker.io/',
    ])
  })
})

it.each([
  'http://a.example',
  'ftp://plain.example',
  'https://user:secret@a.example',
  'https://a.example?x=1',
  'https://a.example#x',
  'https://',
  '',
])('%j is refused as a mirror, without quoting what may hold a password', (url) => {
  const make = () => registryMirrors({ 'docker.io': [url] }, insecure)
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  expect(make).not.toThrow(/secret/)
})

it('a mirror that does not answer is left out for a while; one that has not what was asked for is not', () => {
  const mirrors = registryMirrors({ 'docker.io': ['a.example', 'b.example'] }, insecure)
  const [first, second] = mirrors.endpoints('docker.io')
  if (first === undefined || second === undefined) throw new Error('there are two mirrors')
  mirrors.avoid(first, new KagoError('timed_out', 'a.example does not answer'))
  mirrors.avoid(second, new KagoError('not_found', 'no such image'))
  expect(mirrors.endpoints('docker.io').map(({ host }) => host)).toEqual([
    'b.example',
    'registry-1.docker.io',
  ])
})

describe('a peer', () => {
  it('is asked for a registry’s content under that registry’s name, with its own credentials', () => {
    const mirrors = registryMirrors({}, insecure, [
      'https://ann:canary%20p%C3%BC@peer.example',
      '127.0.0.1:5001',
    ])
    expect(
      mirrors.peers('docker.io').map(({ host, prefix, credentials }) => ({ host, prefix, credentials })),
    ).toEqual([
      { host: 'peer.example', prefix: 'docker.io/', credentials: { username: 'ann', password: 'canary pü' } },
      { host: '127.0.0.1:5001', prefix: 'docker.io/', credentials: undefined },
    ])
    expect(mirrors.peers('localhost:5000')[0]?.prefix).toBe('localhost_5000/')
    expect(mirrors.endpoints('docker.io').map(({ host }) => host)).toEqual(['registry-1.docker.io'])
  })

  it('that does not answer for one registry is left out for all', () => {
    const mirrors = registryMirrors({}, insecure, ['peer.example'])
    const [peer] = mirrors.peers('docker.io')
    if (peer === undefined) throw new Error('there is a peer')
    mirrors.avoid(peer, new KagoError('not_found', 'no such image'))
    expect(mirrors.peers('quay.io')).toHaveLength(1)
    mirrors.avoid(peer, new KagoError('unavailable', 'nothing answers'))
    expect(mirrors.peers('quay.io')).toEqual([])
  })

  it.each([
    'http://far.example',
    'ftp://a.example',
    'https://a.example/path',
    'https://a.example?x=secret',
    'https://ann:secret%zz@a.example',
    'https://ann:secret@',
    '',
  ])('%j is refused, without quoting what may hold a password', (url) => {
    const make = () => registryMirrors({}, insecure, [url])
    expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(make).not.toThrow(/secret/)
  })
})
