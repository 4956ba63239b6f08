/** What a registry is brought: once, whole, by those who may, over connections that break. */
import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { describe, expect, it } from 'vitest'
import type { RegistryClient, RegistryConfig } from '../../../daemon/registry/client.ts'
import type { PushBlobOptions } from '../../../daemon/registry/push-blob.ts'
import { parseReference, type Reference } from '../../../shared/reference.ts'
import { type Blob, makeBlob, makeImage } from '../../harness/registry/image.ts'
import { pushBlob as putBlob } from '../../harness/registry/push.ts'
import { type RegistryOptions, startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'
import { type RecordedRequest, serve } from '../../harness/registry/server.ts'
import { collect, failureOf, makeClient } from './setup.ts'

const kibi = 1024
const piece = 600 * kibi

async function setUp(options: RegistryOptions = {}, config: Partial<RegistryConfig> = {}) {
  const registry = await startRegistry(options)
  onTestFinished(async () => await registry.close())
  const client = makeClient({ uploadChunkBytes: piece, ...config })
  return { registry, client, nameOf: (text: string) => parseReference(`${registry.host}/${text}`) }
}

const blobOf = (bytes: Buffer): Blob => makeBlob(bytes, 'application/octet-stream')

async function push(
  client: RegistryClient,
  registry: TestRegistry | undefined,
  reference: Reference,
  blob: Blob,
  options: PushBlobOptions = {},
) {
  return await client.pushBlob(
    reference,
    blob,
    async function* (start, end) {
      await Promise.resolve()
      for (let at = start; at < end; at += 100 * kibi)
        yield blob.bytes.subarray(at, Math.min(end, at + 100 * kibi))
    },
    { ...(registry && { credentials: registry.credentials }), ...options },
  )
}

/** The methods of the requests about uploads that were answered, without the challenges. */
const uploads = ({ requests }: TestRegistry) =>
  requests
    .filter(({ url, status }) => url.includes('/blobs/uploads/') && status !== 401)
    .map(({ method, status }) => `${method} ${status ?? 'cut'}`)

const readBack = async (client: RegistryClient, registry: TestRegistry, reference: Reference, blob: Blob) =>
  await collect(client.fetchBlob(reference, blob, { credentials: registry.credentials }))

describe('a blob', () => {
  it('goes out in one request when it is small, and is there afterwards', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(500 * kibi))
    const seen: number[] = []
    const onProgress = (current: number) => void seen.push(current)
    expect(await push(client, registry, nameOf('mine/app'), blob, { onProgress })).toEqual({
      how: 'uploaded',
    })
    expect(uploads(registry)).toEqual(['POST 202', 'PUT 201'])
    expect(seen.at(-1)).toBe(blob.size)
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('of no bytes is one too', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(Buffer.alloc(0))
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'exists' })
  })

  it('goes out in pieces when it is large', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(3 * piece + 17))
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(uploads(registry)).toEqual(['POST 202', ...Array(4).fill('PATCH 202'), 'PUT 201'])
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('that is there is not sent again', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(5000))
    await putBlob(registry, 'mine/app', blob)
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'exists' })
    expect(uploads(registry)).toEqual([])
  })

  it('that a neighbour has is taken from there', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(5000))
    await putBlob(registry, 'other/base', blob)
    const neighbours = ['other/base']
    expect(await push(client, registry, nameOf('mine/app'), blob, { neighbours })).toEqual({
      how: 'mounted',
      from: 'other/base',
    })
    expect(registry.requests.filter(({ bodyBytes }) => bodyBytes > 1000)).toEqual([])
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('that the neighbour has no more is sent', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(5000))
    const neighbours = ['other/base', 'another/base']
    expect(await push(client, registry, nameOf('mine/app'), blob, { neighbours })).toEqual({
      how: 'uploaded',
    })
    expect(uploads(registry)).toEqual(['POST 202', 'PUT 201'])
  })

  it('is sent also when a registry will not hear of its neighbours', async () => {
    const { client, registry, nameOf } = await setUp()
    registry.faults.add({ on: 'upload', kind: 'status', status: 403, method: 'POST', url: 'mount=' })
    const blob = blobOf(randomBytes(5000))
    expect(await push(client, registry, nameOf('mine/app'), blob, { neighbours: ['other/base'] })).toEqual({
      how: 'uploaded',
    })
  })
})

describe('an upload that breaks', () => {
  it('goes on where the registry says it is', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(3 * piece))
    registry.faults.add({ on: 'upload', kind: 'cut', after: 400 * kibi, method: 'PATCH' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(uploads(registry).slice(0, 4)).toEqual(['POST 202', 'PATCH cut', 'GET 204', 'PATCH 202'])
    const sent = registry.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ bodyBytes }) => bodyBytes)
    expect(sent.reduce((sum, bytes) => sum + bytes, 0)).toBe(blob.size + 200 * kibi)
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('goes on where a piece was taken only in part', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(2 * piece))
    registry.faults.add({ on: 'upload', kind: 'short', bytes: 300 * kibi, method: 'PATCH' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it.each([416, 404])('is asked about, or begun anew, after a %i', async (status) => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(2 * piece))
    registry.faults.add({ on: 'upload', kind: 'status', status, method: 'PATCH' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('is begun anew when it is small', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(50 * kibi))
    registry.faults.add({ on: 'upload', kind: 'cut', after: 10, method: 'PUT' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('waits as long as the registry asks for', async () => {
    const { client, registry, nameOf } = await setUp()
    registry.faults.add({ on: 'upload', kind: 'status', status: 429, retryAfter: '1', method: 'POST' })
    const delays: number[] = []
    await push(client, registry, nameOf('mine/app'), blobOf(randomBytes(100)), {
      onRetry: ({ delayMs }) => void delays.push(delayMs),
    })
    expect(delays).toEqual([1000])
  })

  it('is given up after some tries, and the registry told', async () => {
    const { client, registry, nameOf } = await setUp({ auth: 'none' })
    registry.faults.add({ on: 'upload', kind: 'status', status: 503, method: 'PATCH', times: 100 })
    const failure = await failureOf(
      push(client, registry, nameOf('mine/app'), blobOf(randomBytes(2 * piece))),
    )
    expect(failure).toMatchObject({ code: 'unavailable', details: { attempts: 4 } })
    expect(uploads(registry).at(-1)).toBe('DELETE 204')
  })

  it('is not gone on with when it is cancelled', async () => {
    const { client, registry, nameOf } = await setUp({ auth: 'none' })
    const controller = new AbortController()
    const failure = await failureOf(
      push(client, registry, nameOf('mine/app'), blobOf(randomBytes(4 * piece)), {
        signal: controller.signal,
        onProgress: (current) => {
          if (current > piece) controller.abort()
        },
      }),
    )
    expect(failure).toMatchObject({ code: 'cancelled' })
    expect(uploads(registry).at(-1)).toBe('DELETE 204')
  })
})

describe('a registry that takes no pieces', () => {
  it('gets the whole', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(2 * piece))
    registry.faults.add({ on: 'upload', kind: 'status', status: 405, method: 'PATCH', times: 100 })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })

  it('of that size gets smaller ones', async () => {
    const { client, registry, nameOf } = await setUp({}, { uploadChunkBytes: 2048 * kibi })
    const blob = blobOf(randomBytes(3000 * kibi))
    registry.faults.add({ on: 'upload', kind: 'status', status: 413, method: 'PATCH' })
    expect(await push(client, registry, nameOf('mine/app'), blob)).toEqual({ how: 'uploaded' })
    expect(uploads(registry).filter((line) => line === 'PATCH 202')).toHaveLength(6)
    expect(await readBack(client, registry, nameOf('mine/app'), blob)).toEqual(blob.bytes)
  })
})

describe('who may not push', () => {
  it('is told to log in when nobody did', async () => {
    const { client, registry, nameOf } = await setUp()
    const blob = blobOf(randomBytes(100))
    expect(await failureOf(push(client, undefined, nameOf('mine/app'), blob))).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining(`push to ${registry.host}/mine/app denied: log in first`),
      hint: `log in: kago login ${registry.host}`,
    })
  })

  it('is told so when somebody did', async () => {
    const { client, registry, nameOf } = await setUp()
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'this is not yours' }] })
    registry.faults.add({ on: 'upload', kind: 'status', status: 403, body, method: 'POST' })
    expect(await failureOf(push(client, registry, nameOf('mine/app'), blobOf(randomBytes(9))))).toMatchObject(
      {
        code: 'permission_denied',
        message: expect.stringContaining('you may not write there: this is not yours'),
      },
    )
  })

  it('may, where strangers may', async () => {
    const { client, nameOf } = await setUp({ auth: 'none' })
    expect(await push(client, undefined, nameOf('mine/app'), blobOf(randomBytes(9)))).toEqual({
      how: 'uploaded',
    })
  })

  it('may with a password where there are no tokens', async () => {
    const { client, registry, nameOf } = await setUp({ auth: 'basic' })
    expect(await push(client, registry, nameOf('mine/app'), blobOf(randomBytes(9)))).toEqual({
      how: 'uploaded',
    })
  })
})

describe('a manifest', () => {
  it('is stored as the bytes that it is', async () => {
    const { client, registry, nameOf } = await setUp()
    const image = await makeImage({ layers: [{ a: 'b' }], mediaTypes: 'docker' })
    for (const blob of [image.config, ...image.layers]) await push(client, registry, nameOf('mine/app'), blob)
    const { credentials } = registry
    await client.pushManifest(nameOf('mine/app:1'), image.manifest, { credentials })
    expect(await client.resolve(nameOf('mine/app:1'), { credentials })).toMatchObject({
      digest: image.manifest.digest,
      mediaType: image.manifest.mediaType,
    })
  })

  it('that lists what is not there is refused in words', async () => {
    const { client, registry, nameOf } = await setUp()
    const image = await makeImage({ layers: [{ a: 'b' }] })
    const { credentials } = registry
    expect(
      await failureOf(client.pushManifest(nameOf('mine/app:1'), image.manifest, { credentials })),
    ).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('does not take the manifest of'),
    })
  })

  it('that was stored as something else is noticed', async () => {
    const { client, registry, nameOf } = await setUp()
    const image = await makeImage({ layers: [{ a: 'b' }] })
    for (const blob of [image.config, ...image.layers]) await putBlob(registry, 'mine/app', blob)
    const headers = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }
    registry.faults.add({ on: 'manifest', kind: 'headers', headers, method: 'PUT' })
    const { credentials } = registry
    expect(
      await failureOf(client.pushManifest(nameOf('mine/app:1'), image.manifest, { credentials })),
    ).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('stored another manifest'),
    })
  })
})

describe('a hostile registry', () => {
  it('that says it stored something else is not believed', async () => {
    const { client, registry, nameOf } = await setUp()
    const headers = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }
    registry.faults.add({ on: 'upload', kind: 'headers', headers, method: 'PUT' })
    expect(await failureOf(push(client, registry, nameOf('mine/app'), blobOf(randomBytes(9))))).toMatchObject(
      {
        code: 'corrupt',
        message: expect.stringContaining('stored something else'),
      },
    )
  })

  it('that sends an upload elsewhere gets no credentials there', async () => {
    const { client, registry, nameOf } = await setUp()
    const requests: (RecordedRequest & { all?: unknown })[] = []
    const elsewhere = await serve('storage', requests, async (request, response) => {
      await Promise.resolve()
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give it to me"' })
      response.end(JSON.stringify(request.headers))
    })
    onTestFinished(async () => await elsewhere.close())
    registry.faults.add({ on: 'upload', kind: 'location', location: `${elsewhere.url}/take`, method: 'POST' })
    expect(await failureOf(push(client, registry, nameOf('mine/app'), blobOf(randomBytes(9))))).toMatchObject(
      {
        code: 'permission_denied',
      },
    )
    expect(requests.map(({ method, authorization }) => [method, authorization])).toEqual([
      ['PUT', undefined],
      ['DELETE', undefined],
    ])
  })

  it.each(['http://169.254.169.254/latest', 'file:///etc/passwd', 'unix:/run/kago/kagod.sock'])(
    'cannot make an upload go to %s',
    async (location) => {
      const { client, registry, nameOf } = await setUp()
      registry.faults.add({ on: 'upload', kind: 'location', location, method: 'POST' })
      expect(
        await failureOf(push(client, registry, nameOf('mine/app'), blobOf(randomBytes(9)))),
      ).toMatchObject({
        code: 'permission_denied',
      })
    },
  )

  it('that never gets anywhere is left after some tries', async () => {
    const { client, registry, nameOf } = await setUp()
    const requests: RecordedRequest[] = []
    const endless = await serve('registry', requests, async ({ method }, response) => {
      await Promise.resolve()
      const status = method === 'HEAD' ? 404 : 202
      response.writeHead(status, { location: `/v2/mine/app/blobs/uploads/${requests.length}`, range: '0-0' })
      response.end()
    })
    onTestFinished(async () => await endless.close())
    const reference = parseReference(`${endless.host}/mine/app`)
    for (const size of [100, 2 * piece]) {
      expect(await failureOf(push(client, registry, reference, blobOf(randomBytes(size))))).toMatchObject({
        code: 'unavailable',
      })
    }
    expect(requests.length).toBeLessThan(40)
    expect(nameOf('mine/app').registry).not.toBe(reference.registry)
  })

  it('that claims more than it was given is broken', async () => {
    const { client, registry, nameOf } = await setUp()
    registry.faults.add({
      on: 'upload',
      kind: 'headers',
      headers: { range: '0-99999999' },
      times: 99,
      method: 'PATCH',
    })
    expect(
      await failureOf(push(client, registry, nameOf('mine/app'), blobOf(randomBytes(2 * piece)))),
    ).toMatchObject({ code: 'unavailable', message: expect.stringContaining('more of') })
  })

  it('that redirects an upload round and round is left', async () => {
    const { client, registry } = await setUp()
    const requests: RecordedRequest[] = []
    const round = await serve('registry', requests, async ({ method }, response) => {
      await Promise.resolve()
      response.writeHead(method === 'HEAD' ? 404 : 307, { location: `/v2/again/${requests.length}` })
      response.end()
    })
    onTestFinished(async () => await round.close())
    const reference = parseReference(`${round.host}/mine/app`)
    expect(await failureOf(push(client, registry, reference, blobOf(randomBytes(9))))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('redirects more than'),
    })
  })
})
