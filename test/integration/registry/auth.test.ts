/** Who may read what, as Docker Hub and its kin have it. */
import { describe, expect, it } from 'vitest'
import { collect, failureOf, makeClient, setUp } from './setup.ts'

describe('a token', () => {
  it('is asked for once for a repository and used for all of its parts', async () => {
    const { client, reference, image, layer, registry } = await setUp()
    await client.resolve(reference)
    const parts = [image.config, layer].map(async (blob) => await collect(client.fetchBlob(reference, blob)))
    expect((await Promise.all(parts)).map(({ length }) => length)).toEqual([image.config.size, layer.size])
    expect(registry.requests.filter(({ server }) => server === 'token')).toHaveLength(1)
  })

  it('never reaches where blobs come from', async () => {
    const { client, reference, layer, registry } = await setUp()
    await collect(client.fetchBlob(reference, layer))
    const asked = registry.requests.filter(({ server }) => server === 'storage')
    expect(asked.map(({ authorization, status }) => [authorization, status])).toEqual([[undefined, 200]])
  })

  it('that is no longer good is replaced', async () => {
    const { client, reference, registry } = await setUp()
    await client.resolve(reference)
    const challenge = `Bearer realm="${registry.tokenUrl}/token",service="kago-test-registry",error="invalid_token"`
    const headers = { 'www-authenticate': challenge }
    registry.faults.add({ on: 'manifest', kind: 'status', status: 401, headers })
    expect(await client.resolve(reference)).toMatchObject({ digest: expect.any(String) })
    expect(registry.faults.left()).toEqual([])
    expect(registry.requests.filter(({ server }) => server === 'token')).toHaveLength(2)
  })

  it.each([{ isTerse: true }, { repeatsScope: true }, { redirectBlobs: false }])(
    'works also where %j',
    async (options) => {
      const { client, reference, layer } = await setUp(options)
      await client.resolve(reference)
      expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    },
  )

  it('can be had once the token server works again', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'token', kind: 'status', status: 503, times: 1 })
    registry.faults.add({ on: 'token', kind: 'drop', after: 5 })
    expect(await client.resolve(reference)).toMatchObject({ digest: expect.any(String) })
    expect(registry.faults.left()).toEqual([])
  })
})

describe('an image that is private', () => {
  it('or absent: a stranger is told both and what to do', async () => {
    const { client, nameOf, registry } = await setUp({}, {}, 'private/thing')
    const { host } = registry
    for (const name of ['private/thing', 'private/never', 'library/never']) {
      expect(await failureOf(client.resolve(nameOf(name)))).toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(`${host}/${name}:latest does not exist or is private`),
        hint: `check the name; if it is private, log in first: kago login ${host}`,
      })
    }
  })

  it('is read by whom it is for, by password or by identity token', async () => {
    const { client, reference, registry, image, layer } = await setUp({}, {}, 'private/thing')
    for (const credentials of [registry.credentials, { identityToken: registry.identityToken }]) {
      expect(await client.resolve(reference, { credentials })).toMatchObject({
        digest: image.manifest.digest,
      })
      expect(await collect(client.fetchBlob(reference, layer, { credentials }))).toEqual(layer.bytes)
    }
  })

  it('stays so for the next who asks through the same daemon', async () => {
    const { client, reference, registry } = await setUp({}, {}, 'private/thing')
    await client.resolve(reference, { credentials: registry.credentials })
    expect(await failureOf(client.resolve(reference))).toMatchObject({ code: 'not_found' })
    const wrong = { username: registry.credentials.username, password: 'wrong' }
    expect(await failureOf(client.resolve(reference, { credentials: wrong }))).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('does not accept your login: incorrect username or password'),
    })
  })

  it('and absent: who is logged in is told that it is absent or not his', async () => {
    const { client, nameOf, registry } = await setUp()
    const failure = await failureOf(
      client.resolve(nameOf('private/never'), { credentials: registry.credentials }),
    )
    expect(failure).toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('does not exist or you may not read it'),
    })
  })

  it('is read with a password alone where the registry wants that', async () => {
    const { client, reference, registry, layer } = await setUp({ auth: 'basic' })
    const { credentials } = registry
    await client.resolve(reference, { credentials })
    expect(await collect(client.fetchBlob(reference, layer, { credentials }))).toEqual(layer.bytes)
    expect(await failureOf(client.resolve(reference))).toMatchObject({ code: 'not_found' })
    const stored = registry.requests.filter(({ server }) => server === 'storage')
    expect(stored.map(({ authorization }) => authorization)).toEqual([undefined])
  })
})

it('a registry without any of this is read as it is', async () => {
  const { client, reference, layer, registry } = await setUp({ auth: 'none' })
  await client.resolve(reference)
  expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  expect(registry.requests.some(({ authorization }) => authorization !== undefined)).toBe(false)
})

describe('a login', () => {
  it('is tried out, and gives a token to keep instead of the password', async () => {
    const { client, registry } = await setUp()
    const { host, credentials, identityToken } = registry
    expect(await client.checkLogin(host, credentials)).toEqual({ identityToken })
    expect(await client.checkLogin(host, { identityToken })).toEqual({})
  })

  it.each(['token', 'basic'] as const)('that is wrong is refused where %s is asked for', async (auth) => {
    const { client, registry } = await setUp({ auth })
    const wrong = { username: 'kago', password: 'canary-wrong' }
    const failure = await failureOf(client.checkLogin(registry.host, wrong))
    expect(failure).toMatchObject({ code: 'unauthenticated' })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('canary-wrong')
  })

  it('with Basic gives nothing to keep', async () => {
    const { client, registry } = await setUp({ auth: 'basic' })
    expect(await client.checkLogin(registry.host, registry.credentials)).toEqual({})
  })

  it.each(['', 'a b', 'a/b', 'https://a', '../x', 'host:99999'])(
    'at %j is refused before anything is sent',
    async (host) => {
      const client = makeClient()
      expect(await failureOf(client.checkLogin(host, { username: 'a', password: 'b' }))).toMatchObject({
        code: 'invalid_argument',
      })
    },
  )
})
