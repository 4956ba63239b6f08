/** From names to manifests, with a real registry behind a front that behaves like Docker Hub. */
import { describe, expect, it } from 'vitest'
import { parseIndexOrManifest } from '../../../shared/oci/manifest.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import { choosePlatform, parsePlatform } from '../../../shared/oci/platform.ts'
import { parseReference } from '../../../shared/reference.ts'
import { digestOf, makeImage, makeIndex } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { failureOf, makeClient, setUp } from './setup.ts'

describe('a name', () => {
  it('leads to the bytes of its manifest, with what is left of the pull limit', async () => {
    const { client, image, reference } = await setUp()
    expect(await client.resolve(reference)).toEqual({
      digest: image.manifest.digest,
      mediaType: mediaTypes.ociManifest,
      size: image.manifest.size,
      bytes: image.manifest.bytes,
      rateLimit: { limit: 100, remaining: 99, windowSeconds: 21_600 },
    })
  })

  it('may be a digest, which then is what is asked for', async () => {
    const { client, image, nameOf, registry } = await setUp()
    const { digest } = image.manifest
    expect(await client.resolve(nameOf(`library/thing:never@${digest}`))).toMatchObject({ digest })
    expect(registry.requests.map(({ url }) => url).join()).not.toContain('never')
  })

  it('of a manifest list or an index leads through a platform to a manifest', async () => {
    const { client, registry, nameOf } = await setUp()
    for (const flavour of ['oci', 'docker'] as const) {
      const images = await Promise.all(
        ['linux/amd64', 'linux/arm64', 'linux/arm/v6'].map(
          async (platform) =>
            await makeImage({
              layers: [{ a: platform }],
              platform: parsePlatform(platform),
              mediaTypes: flavour,
            }),
        ),
      )
      await pushImage(registry, 'many', flavour, makeIndex(images, { mediaTypes: flavour }))
      const reference = nameOf(`many:${flavour}`)
      const { bytes, mediaType } = await client.resolve(reference)
      const index = parseIndexOrManifest(JSON.parse(Buffer.from(bytes).toString()), mediaType, 'many')
      const manifests = index.kind === 'index' ? index.manifests : []
      const chosen = choosePlatform(manifests, parsePlatform('linux/arm/v7'))
      expect(chosen.digest).toBe(images[2]?.manifest.digest)
      expect(await client.fetchManifest(reference, chosen)).toEqual(images[2]?.manifest.bytes)
    }
  })

  it('can be asked about without its counting as a pull', async () => {
    const { client, image, reference, registry } = await setUp()
    const { digest, mediaType, size } = image.manifest
    expect(await client.headManifest(reference)).toEqual({ digest, mediaType, size })
    expect(
      registry.requests.filter(({ method, url }) => method === 'GET' && url.includes('manifests')),
    ).toEqual([])
    expect((await client.resolve(reference)).rateLimit?.remaining).toBe(99)
  })

  it.each([404, 405, 501])('can be asked about where HEAD is answered %i and GET works', async (status) => {
    const { client, image, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'HEAD', kind: 'status', status })
    expect(await client.headManifest(reference)).toMatchObject({ digest: image.manifest.digest })
    expect(registry.faults.left()).toEqual([])
  })

  it('that is not there is told so, and asking about it gives nothing', async () => {
    const { client, nameOf } = await setUp()
    const reference = nameOf('library/thing:never')
    expect(await client.headManifest(reference)).toBeUndefined()
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/thing:never is not in the registry 127\.0\.0\.1:\d+/),
    })
  })

  it('whose registry does not exist is told so', async () => {
    const client = makeClient()
    expect(await failureOf(client.resolve(parseReference('registry.invalid/x')))).toMatchObject({
      code: 'unavailable',
      message: 'cannot find the host registry.invalid',
    })
    expect(await failureOf(client.resolve(parseReference('127.0.0.1:1/x')))).toMatchObject({
      code: 'unavailable',
      message: 'nothing answers at 127.0.0.1:1',
    })
  })
})

describe('a manifest', () => {
  it('that is not what its header says is refused', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', kind: 'flip', at: 9, times: 9 })
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('is not what its digest says'),
    })
  })

  it('that was damaged once on its way is asked for again', async () => {
    const { client, image, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'flip', at: 9 })
    expect((await client.resolve(reference)).bytes).toEqual(image.manifest.bytes)
    expect(registry.faults.left()).toEqual([])
  })

  it('pulled by digest is compared with that, whatever the header says', async () => {
    const { client, image, nameOf, registry } = await setUp()
    const body = Buffer.from('{"schemaVersion":2}')
    registry.faults.add({ on: 'manifest', kind: 'body', body, times: 9 })
    expect(await failureOf(client.resolve(nameOf(`library/thing@${image.manifest.digest}`)))).toMatchObject({
      code: 'corrupt',
      details: { expected: image.manifest.digest, received: digestOf(body) },
    })
  })

  it('without the header or a length is named by its bytes', async () => {
    const { client, image, reference, registry } = await setUp()
    const headers = { 'docker-content-digest': undefined }
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'headers', headers })
    expect((await client.resolve(reference)).digest).toBe(image.manifest.digest)
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'chunked' })
    expect((await client.resolve(reference)).digest).toBe(image.manifest.digest)
  })

  it('of another size than its descriptor says is refused', async () => {
    const { client, image, reference } = await setUp()
    const { digest, size } = image.manifest
    expect(await failureOf(client.fetchManifest(reference, { digest, size: size + 1 }))).toMatchObject({
      code: 'corrupt',
    })
    expect(await failureOf(client.fetchManifest(reference, { digest, size: 5e6 }))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('larger than 4 MiB'),
    })
  })

  it.each([502, 503, 504, 500, 429, 408])('is asked for again after status %i', async (status) => {
    const { client, image, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', kind: 'status', status, retryAfter: '0', times: 2 })
    expect((await client.resolve(reference)).digest).toBe(image.manifest.digest)
  })

  it('is asked for again when the connection drops in it', async () => {
    const { client, image, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'drop', after: 10 })
    expect((await client.resolve(reference)).digest).toBe(image.manifest.digest)
    expect(registry.faults.left()).toEqual([])
  })

  it('that is limited for longer than anybody waits says so at once', async () => {
    const { client, reference, registry } = await setUp()
    const body = '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}'
    registry.faults.add({ on: 'manifest', kind: 'status', status: 429, retryAfter: '3600', body })
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('too many requests: You have reached your pull rate limit'),
      hint: 'it asks to be left alone for 3600 s',
    })
    expect(registry.faults.left()).toEqual([])
  })

  it('that never comes is waited for as long as configured', async () => {
    const { client, reference, registry } = await setUp(
      {},
      { timeouts: { stallMs: 100 }, retry: { attempts: 1 } },
    )
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'stall', after: 3 })
    expect(await failureOf(client.resolve(reference))).toMatchObject({ code: 'timed_out' })
  })

  it('is no longer waited for after a cancel', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'stall', after: 3 })
    const controller = new AbortController()
    const failure = failureOf(client.resolve(reference, { signal: controller.signal }))
    await expect.poll(() => registry.faults.left()).toEqual([])
    controller.abort()
    expect(await failure).toMatchObject({ code: 'cancelled' })
  })
})

describe('the tags of a repository', () => {
  it('are all there, however many pages they come in', async () => {
    const { client, reference, registry } = await setUp()
    expect(await client.listTags(reference)).toEqual(['latest'])
    registry.requests.length = 0
    const page = (tags: string[], last?: string) => {
      const link = `</v2/library/thing/tags/list?last=${last ?? ''}&n=2>; rel="next"`
      const headers: Record<string, string> = last === undefined ? {} : { link }
      registry.faults.add({ on: 'tags', kind: 'body', body: JSON.stringify({ tags }), headers })
    }
    page(['a', 'b'], 'b')
    page(['c', 'd'], 'd')
    page(['e'])
    expect(await client.listTags(reference)).toEqual(['a', 'b', 'c', 'd', 'e'])
    const asked = registry.requests.map(({ url }) => url.split('?')[1])
    expect(asked).toEqual(['n=1000', 'last=b&n=2', 'last=d&n=2'])
  })

  it('end where a page brings nothing new, whatever follows it', async () => {
    const { client, reference, registry } = await setUp()
    const headers = { link: '</v2/library/thing/tags/list?n=1000&last=>; rel="next"' }
    registry.faults.add({ on: 'tags', kind: 'headers', headers, times: 1000 })
    expect(await client.listTags(reference)).toEqual(['latest'])
  })

  it('are asked of nobody else, whatever a registry says', async () => {
    const { client, reference, registry } = await setUp()
    const headers = { link: '<http://169.254.169.254/v2/x/tags/list?last=latest>; rel="next"' }
    registry.faults.add({ on: 'tags', kind: 'headers', headers })
    expect(await client.listTags(reference)).toEqual(['latest'])
    expect(registry.requests.at(-1)?.url).toBe('/v2/library/thing/tags/list?last=latest')
  })

  it.each(['{"tags":{}}', '{"tags":[1]}', 'no JSON', `{"tags":"${'x'.repeat(100)}"}`])(
    'that make no sense are refused: %s',
    async (body) => {
      const { client, reference, registry } = await setUp()
      registry.faults.add({ on: 'tags', kind: 'body', body })
      expect(await failureOf(client.listTags(reference))).toMatchObject({ code: 'corrupt' })
    },
  )

  it('that no reference could have are left out', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'tags', kind: 'body', body: '{"tags":["a","../b","","c d","e"]}' })
    expect(await client.listTags(reference)).toEqual(['a', 'e'])
  })

  it('of a repository that is not there are not either', async () => {
    const { client, nameOf } = await setUp()
    expect(await failureOf(client.listTags(nameOf('library/never')))).toMatchObject({ code: 'not_found' })
  })
})
