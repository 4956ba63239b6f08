/** Tokens: how they are asked for, for whom they are kept, and what is never accepted as one. */
import { describe, expect, it } from 'vitest'
import { insecureHosts } from '../../../../daemon/registry/addresses.ts'
import { type Access, type AuthContext, createAuthenticator } from '../../../../daemon/registry/auth.ts'
import { parseChallenges } from '../../../../daemon/registry/challenge.ts'
import type { Credentials } from '../../../../daemon/registry/credentials.ts'
import { type FakeAnswer, fakeTransport } from './fake-transport.ts'

const bearer =
  'Bearer realm="https://auth.example/token?a=b",service="the service",scope="repository:a/b:pull"'
const somebody: Credentials = { username: 'some:body', password: 'canary-password' }

function setUp(answer: FakeAnswer | ((count: number) => FakeAnswer | Promise<FakeAnswer>)) {
  const { send, asked } = fakeTransport((_, count) => (typeof answer === 'function' ? answer(count) : answer))
  const context: AuthContext = {
    send,
    insecure: insecureHosts([]),
    timeouts: { connectMs: 1000, headersMs: 1000, stallMs: 1000, commitMs: 1000 },
  }
  let now = 0
  const authenticator = createAuthenticator(() => now)
  return {
    asked,
    authenticator,
    wait: (milliseconds: number) => {
      now += milliseconds
    },
    answer: async (access: Access, header = bearer, signal?: AbortSignal) =>
      await authenticator.answer(context, access, parseChallenges([header]), signal),
  }
}

function accessOf(credentials?: Credentials, more: Partial<Access> = {}): Access {
  return {
    registry: 'registry.example',
    url: new URL('https://registry.example/v2/a/b/manifests/1'),
    isInsecure: false,
    scope: 'repository:a/b:pull',
    what: 'a/b:1',
    credentials,
    ...more,
  }
}

const token = (value: unknown): FakeAnswer => ({ body: JSON.stringify(value) })

describe('a token', () => {
  it('is asked for anonymously with the challenge’s own words', async () => {
    const { answer, asked } = setUp(token({ token: 't1' }))
    expect(await answer(accessOf())).toBe('Bearer t1')
    const url = new URL(asked[0]?.url ?? '')
    expect(url.origin + url.pathname).toBe('https://auth.example/token')
    expect([...url.searchParams]).toEqual([
      ['a', 'b'],
      ['service', 'the service'],
      ['scope', 'repository:a/b:pull'],
      ['client_id', 'kago'],
    ])
    expect(asked[0]).toMatchObject({ method: 'GET', authorization: undefined, route: { isForeign: true } })
  })

  it('is asked for with a name and a password', async () => {
    const { answer, asked } = setUp(token({ access_token: 't2' }))
    expect(await answer(accessOf(somebody))).toBe('Bearer t2')
    expect(asked[0]?.authorization).toBe(
      `Basic ${Buffer.from('some:body:canary-password').toString('base64')}`,
    )
    expect(asked[0]?.url).not.toContain('canary')
  })

  it('is asked for with an identity token by POST, not in the URL', async () => {
    const { answer, asked } = setUp(token({ access_token: 't3' }))
    expect(await answer(accessOf({ identityToken: 'canary-identity' }))).toBe('Bearer t3')
    expect(asked[0]).toMatchObject({
      method: 'POST',
      url: 'https://auth.example/token?a=b',
      authorization: undefined,
    })
    expect(Object.fromEntries(new URLSearchParams(String(asked[0]?.body)))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'kago',
      service: 'the service',
      scope: 'repository:a/b:pull',
      refresh_token: 'canary-identity',
    })
  })

  it('is asked for with every scope of the challenge, and with its own where the challenge has none', async () => {
    const { answer, asked } = setUp(token({ token: 't' }))
    await answer(accessOf(), 'Bearer realm="https://auth.example/",scope="a:b:c d:e:f",scope="g:h:i"')
    await answer(accessOf(somebody), 'Bearer realm="https://auth.example/"')
    const scopes = asked.map(({ url }) => new URL(url).searchParams.getAll('scope'))
    expect(scopes).toEqual([['a:b:c', 'd:e:f', 'g:h:i'], ['repository:a/b:pull']])
  })

  it('is kept until a little before it expires', async () => {
    const { answer, authenticator, wait } = setUp(token({ token: 't', expires_in: 100 }))
    await answer(accessOf())
    wait(89_000)
    expect(authenticator.known(accessOf())).toBe('Bearer t')
    wait(2000)
    expect(authenticator.known(accessOf())).toBeUndefined()
  })

  it.each([{ token: 't' }, { token: 't', expires_in: 0 }, { token: 't', expires_in: '900' }])(
    'that says %j lives for a minute',
    async (body) => {
      const { answer, authenticator, wait } = setUp(token(body))
      await answer(accessOf())
      wait(53_000)
      expect(authenticator.known(accessOf())).toBe('Bearer t')
      wait(2000)
      expect(authenticator.known(accessOf())).toBeUndefined()
    },
  )

  it('is nobody else’s: not for other credentials, repositories or registries', async () => {
    const { answer, authenticator } = setUp(token({ token: 't' }))
    await answer(accessOf(somebody))
    expect(authenticator.known(accessOf(somebody))).toBe('Bearer t')
    const others = [
      accessOf(),
      accessOf({ username: 'some:body', password: 'other' }),
      accessOf({ username: 'some', password: 'body:canary-password' }),
      accessOf({ identityToken: 'canary-password' }),
      accessOf(somebody, { scope: 'repository:a/c:pull' }),
      accessOf(somebody, { url: new URL('https://registry.example:444/') }),
      accessOf(somebody, { url: new URL('http://registry.example/') }),
    ]
    expect(others.map((access) => authenticator.known(access))).toEqual(others.map(() => undefined))
  })

  it('is asked for once by all who want it at the same time', async () => {
    const { promise, resolve } = Promise.withResolvers<FakeAnswer>()
    const { answer, asked } = setUp(async () => await promise)
    const all = Promise.all(Array.from({ length: 10 }, async () => await answer(accessOf())))
    resolve(token({ token: 't' }))
    expect(new Set(await all)).toEqual(new Set(['Bearer t']))
    expect(asked).toHaveLength(1)
  })

  it('still comes for the others when one who waits for it gives up', async () => {
    const { promise, resolve } = Promise.withResolvers<FakeAnswer>()
    const { answer } = setUp(async () => await promise)
    const controller = new AbortController()
    const impatient = answer(accessOf(), bearer, controller.signal)
    const patient = answer(accessOf())
    controller.abort()
    await expect(impatient).rejects.toMatchObject({ code: 'cancelled' })
    resolve(token({ token: 't' }))
    expect(await patient).toBe('Bearer t')
  })

  it('may have 8 KB', async () => {
    const { answer } = setUp(token({ token: 'x'.repeat(8192) }))
    expect(await answer(accessOf())).toHaveLength(8192 + 7)
  })

  it('that could not be had is asked for again by the next', async () => {
    const { answer } = setUp((count) => (count === 1 ? { status: 500 } : token({ token: 't' })))
    await expect(answer(accessOf())).rejects.toThrow('failed with status 500')
    expect(await answer(accessOf())).toBe('Bearer t')
  })
})

describe('no token is', () => {
  it.each([
    ['nothing', ''],
    ['a page', '<html>canary-body</html>'],
    ['JSON that is none', '{"token":"canary-body'],
    ['another type', '{"token":1}'],
    ['empty', '{"token":"","access_token":""}'],
    ['null', 'null'],
    ['a list', '["canary-body"]'],
    ['a second header', JSON.stringify({ token: 'a\r\nX-Canary-Body: 1' })],
    ['text beyond ASCII', JSON.stringify({ token: 'ä' })],
    ['of the prototype', '{"__proto__":{"token":"canary-body"}}'],
    ['too large', JSON.stringify({ token: 'x'.repeat(300_000) })],
  ])('%s', async (_name, body) => {
    const { answer } = setUp({ body })
    const error: unknown = await answer(accessOf()).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'KagoError' })
    expect(String(error)).not.toContain('anary-')
  })
})

describe('a token server', () => {
  it.each([
    'http://auth.example/token',
    'file:///etc/passwd',
    'https://169.254.169.254/token',
    'https://127.0.0.1/token',
    'https://localhost:8443/token',
    'https://somebody:password@auth.example/',
  ])('at %s is not asked', async (realm) => {
    const { answer, asked } = setUp(token({ token: 't' }))
    await expect(answer(accessOf(somebody), `Bearer realm="${realm}"`)).rejects.toMatchObject({
      code: 'permission_denied',
    })
    expect(asked).toEqual([])
  })

  it.each(['', '/token', 'nonsense'])('called %j is none', async (realm) => {
    await expect(setUp({}).answer(accessOf(), `Bearer realm="${realm}"`)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'registry.example asks for a token and does not say where to get it',
    })
  })

  it('on this machine is asked for a registry on this machine', async () => {
    const { answer, asked } = setUp(token({ token: 't' }))
    const access = accessOf(undefined, { url: new URL('http://127.0.0.1:5000/v2/'), isInsecure: true })
    expect(await answer(access, 'Bearer realm="http://127.0.0.1:5001/token"')).toBe('Bearer t')
    expect(asked[0]?.route).toEqual({ isInsecure: true, isForeign: false })
  })

  it('that redirects does not take the password with it', async () => {
    const { answer, asked } = setUp((count) =>
      count === 1 ? { status: 302, headers: { location: 'https://evil.example/' } } : token({ token: 't' }),
    )
    await answer(accessOf(somebody))
    expect(asked.map(({ authorization }) => authorization !== undefined)).toEqual([true, false])
  })

  it('that redirects a POST is not followed: the body holds a secret', async () => {
    const { answer, asked } = setUp({ status: 307, headers: { location: 'https://evil.example/' } })
    await expect(answer(accessOf({ identityToken: 'canary' }))).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    expect(asked).toHaveLength(1)
  })

  it('that refuses a login makes it an error of the login', async () => {
    const { answer } = setUp({ status: 401, body: '{"details":"incorrect username or password"}' })
    await expect(answer(accessOf(somebody))).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'registry.example does not accept your login: incorrect username or password',
      hint: 'log in again: kago login registry.example',
    })
  })

  it('that refuses a stranger means that the image is absent or private', async () => {
    const { answer } = setUp({ status: 403, body: '{"errors":[{"code":"DENIED","message":"denied"}]}' })
    await expect(answer(accessOf())).rejects.toMatchObject({
      code: 'not_found',
      message: 'a/b:1 does not exist or is private: denied',
      hint: 'check the name; if it is private, log in first: kago login registry.example',
    })
  })
})

describe('Basic', () => {
  it('is answered with a name and a password, and remembered', async () => {
    const { answer, authenticator, asked } = setUp({})
    const expected = `Basic ${Buffer.from('some:body:canary-password').toString('base64')}`
    expect(await answer(accessOf(somebody), 'Basic realm="x"')).toBe(expected)
    expect(authenticator.known(accessOf(somebody))).toBe(expected)
    expect(asked).toEqual([])
  })

  it('is not answered without them', async () => {
    const { answer } = setUp({})
    expect(await answer(accessOf(), 'Basic realm="x"')).toBeUndefined()
    expect(await answer(accessOf({ identityToken: 'x' }), 'Basic realm="x"')).toBeUndefined()
  })

  it('is not chosen where a token is possible: the password stays with the token server', async () => {
    const { answer } = setUp(token({ token: 't' }))
    expect(await answer(accessOf(somebody), `Basic realm="x", ${bearer}`)).toBe('Bearer t')
  })

  it('and other schemes, unknown to kago, have no answer', async () => {
    expect(await setUp({}).answer(accessOf(somebody), 'Negotiate, Digest realm="x"')).toBeUndefined()
  })
})

it('a thousand tokens are kept and no more', async () => {
  const { answer, authenticator } = setUp(token({ token: 't', expires_in: 9999 }))
  const accesses = Array.from({ length: 1100 }, (_, index) =>
    accessOf(undefined, { scope: `repository:r${index}:pull` }),
  )
  for (const access of accesses) await answer(access)
  expect(accesses.filter((access) => authenticator.known(access) !== undefined)).toHaveLength(1000)
  expect(authenticator.known(accessOf(undefined, { scope: 'repository:r1099:pull' }))).toBe('Bearer t')
})
