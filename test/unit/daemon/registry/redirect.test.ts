/** Redirects: where they may lead, and what goes along. */
import { describe, expect, it } from 'vitest'
import { insecureHosts } from '../../../../daemon/registry/addresses.ts'
import { sendFollowing } from '../../../../daemon/registry/redirect.ts'
import { type FakeAnswer, fakeTransport } from './fake-transport.ts'

const registry = 'https://registry.example/v2/a/blobs/x'

/** Follows from a URL through a table of URL → Location; what is not in it answers 200. */
async function follow(table: Record<string, string>, from = registry, status = 307) {
  const insecure = insecureHosts(['plain.example'])
  const { send, asked } = fakeTransport((request): FakeAnswer => {
    const location = table[request.url.href]
    return location === undefined ? { status: 200 } : { status, headers: { location } }
  })
  const url = new URL(from)
  const request = {
    method: 'GET' as const,
    url,
    headers: { authorization: 'Bearer secret', range: 'bytes=5-' },
    signal: undefined,
  }
  const route = { isInsecure: insecure.has(url), isForeign: false }
  try {
    const response = await sendFollowing({ send, insecure }, request, route)
    return { asked, end: response.url.href }
  } catch (error) {
    return { asked, error }
  }
}

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('of status %i is followed', async (status) => {
    const { end } = await follow({ [registry]: 'https://cdn.example/blob?sig=x' }, registry, status)
    expect(end).toBe('https://cdn.example/blob?sig=x')
  })

  it('of status 304 or without a place is an answer', async () => {
    expect((await follow({ [registry]: 'https://cdn.example/' }, registry, 304)).end).toBe(registry)
  })

  it('may be relative', async () => {
    const { end, asked } = await follow({ [registry]: '../../b?x=1' })
    expect(end).toBe('https://registry.example/v2/b?x=1')
    expect(asked[1]?.authorization).toBe('Bearer secret')
  })

  it.each([
    'https://cdn.example/b',
    'https://registry.example:8443/b',
    'https://sub.registry.example/b',
    '//cdn.example/b',
  ])('to the other origin %s goes without credentials', async (location) => {
    const { asked } = await follow({ [registry]: location })
    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer secret', undefined])
    expect(asked[1]?.route).toEqual({ isInsecure: false, isForeign: true })
  })

  it('back to the first origin does not get the credentials back', async () => {
    const { asked } = await follow({
      [registry]: 'https://evil.example/',
      'https://evil.example/': 'https://registry.example/v2/other',
    })
    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer secret', undefined, undefined])
  })

  it.each([
    'http://cdn.example/blob',
    'http://plain.example/blob',
    'file:///etc/shadow',
    'ftp://cdn.example/',
    'unix:///run/kago.sock',
    'data:,x',
    'javascript:x',
    'https://user:password@cdn.example/',
    'https://169.254.169.254/latest/meta-data',
    'https://[fe80::1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://localhost/',
    'https://0/',
  ])('from https to %s is refused', async (location) => {
    const { asked, error } = await follow({ [registry]: location })
    expect(error).toMatchObject({ code: 'permission_denied' })
    expect(asked).toHaveLength(1)
  })

  it('is refused at the second hop as at the first', async () => {
    const { error, asked } = await follow({
      [registry]: 'https://cdn.example/',
      'https://cdn.example/': 'https://169.254.169.254/',
    })
    expect(error).toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('169.254.169.254'),
    })
    expect(asked).toHaveLength(2)
  })

  it('of a registry on this machine may lead to this machine, but not to metadata', async () => {
    const local = 'http://127.0.0.1:5000/v2/'
    expect((await follow({ [local]: 'http://localhost:5001/b' }, local)).end).toBe('http://localhost:5001/b')
    expect((await follow({ [local]: 'https://cdn.example/b' }, local)).end).toBe('https://cdn.example/b')
    expect((await follow({ [local]: 'http://169.254.169.254/' }, local)).error).toMatchObject({
      code: 'permission_denied',
    })
  })

  it('that never ends is ended', async () => {
    const { error, asked } = await follow({ [registry]: registry })
    expect(error).toMatchObject({
      code: 'unavailable',
      message: 'registry.example redirects more than 8 times',
    })
    expect(asked).toHaveLength(9)
  })

  it.each(['https://', 'https://[', `https://a.example/${'x'.repeat(20_000)}`])(
    'to %.20s is no redirect',
    async (location) => {
      expect((await follow({ [registry]: location })).error).toMatchObject({ code: 'unavailable' })
    },
  )

  it('tells nobody its signature when it is refused', async () => {
    const { error } = await follow({ [registry]: 'http://cdn.example/?X-Signature=canary' })
    expect(JSON.stringify(error) + String(error)).not.toContain('canary')
  })
})
