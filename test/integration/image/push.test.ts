/** What `kago push` brings to a registry: the image as it was pulled or made, and only what is not there yet. */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { pullImage } from '../../../daemon/image/pull.ts'
import { pushImages } from '../../../daemon/image/push.ts'
import { removeImage } from '../../../daemon/image/remove.ts'
import { tagImage } from '../../../daemon/image/tag.ts'
import { createRegistryClient, type RegistryClient } from '../../../daemon/registry/client.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import type { Progress } from '../../../shared/protocol/progress.ts'
import { parseReference } from '../../../shared/reference.ts'
import { makeImage, makeIndex, makeJson, type TestImage } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'
import { failureOf } from '../registry/setup.ts'
import { load, never, ociArchive, openTestStore, smallImage, type TestStore } from './harness.ts'

let registry: TestRegistry
let other: TestRegistry
let client: RegistryClient
let store: TestStore

beforeAll(async () => {
  registry = await startRegistry()
  other = await startRegistry()
  client = createRegistryClient({
    insecureRegistries: [],
    mirrors: {},
    retry: { attempts: 3, baseMs: 10, maximumMs: 50 },
    uploadChunkBytes: 300_000,
  })
})
afterAll(async () => {
  await client.close()
  await registry.close()
  await other.close()
})
beforeEach(() => {
  store = openTestStore({ registry: client })
  for (const each of [registry, other]) {
    each.faults.clear()
    each.requests.length = 0
  }
})
afterEach(async () => {
  await store.close()
})

const name = (repository: string, tag = '1', at = registry) => `${at.host}/${repository}:${tag}`

async function push(reference: string, more: { allTags?: boolean; credentials?: undefined } = {}) {
  const said: Progress[] = []
  const credentials = 'credentials' in more ? undefined : registry.credentials
  const options = { credentials, report: (progress: Progress) => void said.push(progress), signal: never }
  const pushed = await pushImages(store.context, { reference, allTags: more.allTags }, options)
  return { pushed, said, phases: said.flatMap((each) => (each.type === 'layer' ? [each.phase] : [])) }
}

async function pull(reference: string, platform?: string) {
  const { credentials } = registry
  const options = { credentials, report: () => undefined, signal: never }
  return await pullImage(store.context, { reference, platform }, options)
}

let images = 0
const make = async (options: Partial<Parameters<typeof makeImage>[0]> = {}): Promise<TestImage> =>
  await makeImage({
    layers: [{ 'etc/one': `image ${images++}` }, { 'etc/two': { data: randomBytes(400_000) } }],
    config: { Cmd: ['true'] },
    ...options,
  })

const digestAt = async (reference: string) =>
  (await client.headManifest(parseReference(reference), { credentials: registry.credentials }))?.digest

const sentTo = ({ requests }: TestRegistry) => requests.filter(({ bodyBytes }) => bodyBytes > 0)

describe('an image that was pulled', () => {
  it.each(['oci', 'docker'] as const)('goes to another registry with its digest (%s)', async (flavour) => {
    const image = await make({ mediaTypes: flavour })
    await pushImage(registry, 'from/app', '1', image)
    await pull(name('from/app'))
    await tagImage(store.context, name('from/app'), name('to/app', '2', other))
    const { pushed, phases } = await push(name('to/app', '2', other))
    expect(pushed).toEqual([
      {
        reference: name('to/app', '2', other),
        digest: image.manifest.digest,
        sizeBytes: image.manifest.size,
      },
    ])
    expect(new Set(phases)).toEqual(new Set(['waiting', 'uploading', 'uploaded']))
    expect(await digestAt(name('to/app', '2', other))).toBe(image.manifest.digest)
    expect(store.context.images.digests(image.config.digest)).toContain(
      `${other.host}/to/app@${image.manifest.digest}`,
    )
    await removeImage(store.context, image.config.digest, { force: true })
    expect(await pull(name('to/app', '2', other))).toMatchObject({ id: image.config.digest, upToDate: false })
  })

  it('is mounted within its registry, not sent', async () => {
    const image = await make()
    await pushImage(registry, 'from/mounted', '1', image)
    await pull(name('from/mounted'))
    await tagImage(store.context, name('from/mounted'), name('to/mounted'))
    registry.requests.length = 0
    expect((await push(name('to/mounted'))).phases.filter((phase) => phase !== 'waiting')).toEqual([
      'mounted',
      'mounted',
    ])
    const large = sentTo(registry).filter(({ bodyBytes }) => bodyBytes > 10_000)
    expect(large).toEqual([])
    expect(await digestAt(name('to/mounted'))).toBe(image.manifest.digest)
  })

  it('is not sent again', async () => {
    const image = await make()
    await pushImage(registry, 'same/app', '1', image)
    await pull(name('same/app'))
    registry.requests.length = 0
    expect((await push(name('same/app'))).phases.filter((phase) => phase !== 'waiting')).toEqual([
      'exists',
      'exists',
    ])
    expect(sentTo(registry).map(({ method, bodyBytes }) => [method, bodyBytes])).toEqual([
      ['PUT', image.manifest.size],
    ])
  })

  it('as one of an index goes alone when the others are not here', async () => {
    const [mine, foreign] = [await make(), await make({ platform: { os: 'linux', architecture: 'arm64' } })]
    await pushImage(registry, 'many/app', '1', makeIndex([mine, foreign]))
    await pull(name('many/app'))
    await tagImage(store.context, name('many/app'), name('many/copy', '1', other))
    const { pushed, said } = await push(name('many/copy', '1', other))
    expect(pushed[0]?.digest).toBe(mine.manifest.digest)
    expect(said).toContainEqual({ type: 'notice', message: expect.stringContaining('goes alone') })
    expect(await digestAt(name('many/copy', '1', other))).toBe(mine.manifest.digest)
  })

  it('goes with its index when the registry has the others', async () => {
    const [mine, foreign] = [await make(), await make({ platform: { os: 'linux', architecture: 'arm64' } })]
    const index = makeIndex([mine, foreign])
    await pushImage(registry, 'many/same', '1', index)
    await pull(name('many/same'))
    await tagImage(store.context, name('many/same'), name('many/same', '2'))
    expect((await push(name('many/same', '2'))).pushed[0]?.digest).toBe(index.manifest.digest)
    expect(await digestAt(name('many/same', '2'))).toBe(index.manifest.digest)
  })

  it('goes with its index when all of it is here', async () => {
    const [mine, foreign] = [await make(), await make({ platform: { os: 'linux', architecture: 'arm64' } })]
    const index = makeIndex([foreign, mine], { mediaTypes: 'docker' })
    await pushImage(registry, 'many/whole', '1', index)
    await pull(name('many/whole'), 'linux/arm64')
    await pull(name('many/whole'), 'linux/amd64')
    await tagImage(store.context, name('many/whole'), name('many/whole', '1', other))
    expect((await push(name('many/whole', '1', other))).pushed[0]?.digest).toBe(index.manifest.digest)
    expect(await digestAt(name('many/whole', '1', other))).toBe(index.manifest.digest)
  })

  it('leaves out layers that others are not to pass on', async () => {
    const image = await make()
    const [first, second] = image.layers
    if (first === undefined || second === undefined) throw new Error('no layers')
    const layers = [
      {
        mediaType: mediaTypes.dockerLayerForeignGzip,
        digest: first.digest,
        size: first.size,
        urls: ['https://owner.example/layer'],
      },
      { mediaType: second.mediaType, digest: second.digest, size: second.size },
    ]
    const { config } = image
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: config.mediaType, digest: config.digest, size: config.size },
      layers,
    }
    const manifest = makeJson(document, mediaTypes.ociManifest)
    const named = name('foreign/app', '1', other)
    const blobs = new Map([manifest, config, ...image.layers].map(({ digest, bytes }) => [digest, bytes]))
    const archived = { manifest, config, layers: [], blobs }
    await load(store, ociArchive([{ image: archived, name: named }]))
    other.faults.add({ on: 'manifest', kind: 'status', status: 201, method: 'PUT', headers: {} })
    const { phases } = await push(named)
    expect(phases.filter((phase) => phase === 'left-out')).toHaveLength(1)
    expect(other.requests.some(({ url }) => url.includes(first.digest))).toBe(false)
  })
})

describe('names', () => {
  it('all of a repository go, and each blob once', async () => {
    const image = smallImage('all tags')
    const names = [name('tags/app', 'a', other), name('tags/app', 'b', other)]
    for (const each of [...names, name('tags/else', 'c', other)])
      await load(store, ociArchive([{ image, name: each }]))
    const { pushed } = await push(`${other.host}/tags/app`, { allTags: true })
    expect(pushed.map(({ reference }) => reference)).toEqual(names)
    for (const each of names) expect(await digestAt(each)).toBe(image.manifest.digest)
    expect(other.requests.filter(({ url }) => url.includes('tags/else'))).toEqual([])
  })

  it('that nothing here is called by are refused', async () => {
    for (const allTags of [true, false])
      expect(await failureOf(push(`${registry.host}/no/such`, { allTags }))).toMatchObject({
        code: 'not_found',
      })
    const digest = `sha256:${'a'.repeat(64)}`
    expect(await failureOf(push(`${registry.host}/no/such@${digest}`))).toMatchObject({
      code: 'invalid_argument',
      hint: expect.stringContaining('kago tag'),
    })
  })

  it('of others are refused, and nothing is recorded', async () => {
    const image = smallImage('not mine')
    await load(store, ociArchive([{ image, name: name('not/mine') }]))
    expect(await failureOf(push(name('not/mine'), { credentials: undefined }))).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('denied: log in first'),
      operation: expect.any(String),
    })
    expect(store.context.images.digests(image.config.digest)).toEqual([])
  })
})

describe('a push', () => {
  it('fails before the first byte when a layer is missing here', async () => {
    const image = smallImage('hole')
    await load(store, ociArchive([{ image, name: name('hole/app') }]))
    await rm(store.context.content.path(image.layers[0]?.digest ?? image.config.digest))
    expect(await failureOf(push(name('hole/app')))).toMatchObject({ code: 'corrupt', hint: 'pull it again' })
    expect(sentTo(registry)).toEqual([])
  })

  it('goes on after connections that break, and says so', async () => {
    const image = await make()
    await pushImage(registry, 'break/app', '1', image)
    await pull(name('break/app'))
    await tagImage(store.context, name('break/app'), name('break/app', '1', other))
    other.faults.add({ on: 'upload', kind: 'cut', after: 1000, method: 'PATCH' })
    other.faults.add({ on: 'manifest', kind: 'status', status: 503, method: 'PUT' })
    const { said } = await push(name('break/app', '1', other))
    expect(said.filter(({ type }) => type === 'notice')).toHaveLength(2)
    expect(await digestAt(name('break/app', '1', other))).toBe(image.manifest.digest)
  })
})
