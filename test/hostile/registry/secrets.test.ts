/** Credentials and where they go: to the registry and its token server, never further, and into no message (U22, U23, A10). */
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Fault } from '../../harness/registry/faults.ts'
import { type RecordedRequest, serve } from '../../harness/registry/server.ts'
import { collect, failureOf, setUp } from '../../integration/registry/setup.ts'

/** A server that somebody hopes to send us to; it asks everybody for a password. */
async function startTrap() {
  const requests: RecordedRequest[] = []
  const trap = await serve('storage', requests, async (_request, response) => {
    await Promise.resolve()
    response.writeHead(401, { 'www-authenticate': 'Basic realm="give it to me"' })
    response.end()
  })
  onTestFinished(async () => await trap.close())
  return { ...trap, requests }
}

describe('a stranger that asks for a password', () => {
  it('behind a redirect gets none', async () => {
    const { client, reference, layer, registry } = await setUp({ auth: 'basic' })
    const trap = await startTrap()
    registry.faults.add({ on: 'redirect', kind: 'location', location: `${trap.url}/blob`, times: 9 })
    const { credentials } = registry
    const failure = await failureOf(collect(client.fetchBlob(reference, layer, { credentials })))
    expect(failure).toMatchObject({ code: 'unavailable' })
    expect(trap.requests.length).toBeGreaterThan(0)
    expect(trap.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
  })

  it('behind a redirect of the manifest gets none', async () => {
    const { client, reference, registry } = await setUp({ auth: 'basic' })
    const trap = await startTrap()
    const headers = { location: `${trap.url}/manifest` }
    registry.faults.add({ on: 'manifest', kind: 'status', status: 307, headers, times: 9 })
    await failureOf(client.resolve(reference, { credentials: registry.credentials }))
    expect(trap.requests.length).toBeGreaterThan(0)
    expect(trap.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
  })

  it('in a layer’s urls is not even asked', async () => {
    const { client, reference, layer, registry } = await setUp()
    const trap = await startTrap()
    const foreign = { ...layer, urls: [`${trap.url}/layer`] }
    registry.faults.add({ on: 'blob', kind: 'status', status: 404, times: 9 })
    await failureOf(collect(client.fetchBlob(reference, foreign)))
    expect(trap.requests).toEqual([])
  })
})

describe('a redirect of a registry on this machine', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data/iam/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://0.0.0.0:1/',
    'file:///etc/shadow',
    'http://user:canary-password@127.0.0.1/',
  ])('to %s is refused', async (location) => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'redirect', kind: 'location', location, times: 9 })
    const failure = await failureOf(collect(client.fetchBlob(reference, layer)))
    expect(failure).toMatchObject({ code: 'permission_denied' })
    expect(inspect(failure)).not.toContain('canary')
  })

  it('to itself for ever is ended', async () => {
    const { client, reference, layer, registry } = await setUp()
    const location = `/v2/library/thing/blobs/${layer.digest}`
    registry.faults.add({ on: 'redirect', kind: 'location', location, times: 99 })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      message: expect.stringMatching(/redirects more than 8 times/),
    })
  })
})

describe('no message holds a secret', () => {
  const faults: Fault[] = [
    { on: 'token', kind: 'status', status: 500 },
    { on: 'token', kind: 'status', status: 401, body: '{"details":"wrong"}' },
    { on: 'token', kind: 'drop', after: 10 },
    { on: 'token', kind: 'body', body: '{"token":"canary-token\\u0000"}' },
    { on: 'token', kind: 'body', body: 'canary-token' },
    { on: 'manifest', kind: 'status', status: 400 },
    { on: 'manifest', kind: 'status', status: 403 },
    { on: 'manifest', kind: 'stall', after: 3 },
    { on: 'redirect', kind: 'expired' },
    { on: 'redirect', kind: 'location', location: 'https://127.0.0.1:1/?X-Signature=canary-signature' },
    { on: 'redirect', kind: 'location', location: 'http://nowhere.invalid/?X-Signature=canary-signature' },
    { on: 'redirect', kind: 'location', location: 'http://[/?X-Signature=canary-signature' },
    { on: 'blob', kind: 'status', status: 500 },
    { on: 'blob', kind: 'drop', after: 10 },
    { on: 'blob', kind: 'stall', after: 10 },
    { on: 'blob', kind: 'extra', bytes: 10 },
  ]

  it.each(faults)('after $on: $kind $status $location $body', async (fault) => {
    const { client, reference, layer, registry } = await setUp(
      { isPrivate: true },
      { timeouts: { stallMs: 100, headersMs: 2000, connectMs: 2000 }, retry: { attempts: 2, baseMs: 1 } },
    )
    const { credentials } = registry
    registry.faults.add({ times: 99, ...fault })
    const notices: unknown[] = []
    const onRetry = (notice: unknown): number => notices.push(notice)
    const failure = await failureOf(
      (async () => {
        await client.resolve(reference, { credentials, onRetry })
        await collect(client.fetchBlob(reference, layer, { credentials, onRetry }))
      })(),
    )
    const told = inspect([failure, notices], { depth: 20, showHidden: true })
    expect(failure).toMatchObject({ name: 'KagoError' })
    expect(told).not.toContain('canary')
    expect(told).not.toContain(
      Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64'),
    )
    expect(told).not.toMatch(/eyJ[\w-]{10}/)
  })
})

describe('no message of a push holds a secret', () => {
  const faults: Fault[] = [
    { on: 'token', kind: 'status', status: 401, body: '{"details":"wrong"}' },
    { on: 'token', kind: 'body', body: 'canary-token' },
    { on: 'upload', kind: 'status', status: 400 },
    { on: 'upload', kind: 'status', status: 401 },
    { on: 'upload', kind: 'status', status: 500, method: 'PUT' },
    { on: 'upload', kind: 'cut', after: 1, method: 'PUT' },
    {
      on: 'upload',
      kind: 'location',
      location: 'http://127.0.0.1:1/?X-Signature=canary-signature',
      method: 'POST',
    },
    {
      on: 'upload',
      kind: 'location',
      location: 'http://nowhere.invalid/?X-Signature=canary-signature',
      method: 'POST',
    },
    { on: 'upload', kind: 'location', location: 'http://[/?X-Signature=canary-signature', method: 'POST' },
    { on: 'upload', kind: 'location', location: 'gopher://x/?X-Signature=canary-signature', method: 'POST' },
    { on: 'manifest', kind: 'status', status: 400 },
    { on: 'manifest', kind: 'status', status: 500, method: 'PUT' },
  ]

  it.each(faults)('after $on: $kind $status $location $body', async (fault) => {
    const { client, reference, layer, registry, image } = await setUp(
      {},
      { timeouts: { stallMs: 100, headersMs: 2000, connectMs: 2000 }, retry: { attempts: 2, baseMs: 1 } },
    )
    const { credentials } = registry
    const target = { ...reference, repository: 'mine/app' }
    registry.faults.add({ times: 99, ...fault })
    const notices: unknown[] = []
    const onRetry = (notice: unknown): number => notices.push(notice)
    const failure = await failureOf(
      (async () => {
        for (const blob of [layer, image.config])
          await client.pushBlob(target, blob, () => oneChunk(blob.bytes), { credentials, onRetry })
        await client.pushManifest(target, image.manifest, { credentials, onRetry })
      })(),
    )
    const told = inspect([failure, notices], { depth: 20, showHidden: true })
    expect(failure).toMatchObject({ name: 'KagoError' })
    expect(told).not.toContain('canary')
    expect(told).not.toContain(
      Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64'),
    )
    expect(told).not.toMatch(/eyJ[\w-]{10}/)
  })
})

async function* oneChunk(bytes: Buffer): AsyncGenerator<Buffer, void> {
  await Promise.resolve()
  yield bytes
}
