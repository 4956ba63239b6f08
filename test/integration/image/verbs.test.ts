import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settleDeletions } from '../../../daemon/image/collect.ts'
import { loadEmbedded } from '../../../daemon/image/embedded.ts'
import { findImage } from '../../../daemon/image/find.ts'
import { imageHistory } from '../../../daemon/image/history.ts'
import { inspectImage } from '../../../daemon/image/inspect.ts'
import { listImages } from '../../../daemon/image/list.ts'
import { recoverImages } from '../../../daemon/image/recover.ts'
import { removeImage } from '../../../daemon/image/remove.ts'
import { tagImage } from '../../../daemon/image/tag.ts'
import { chainIds } from '../../../daemon/snapshot/chain-id.ts'
import { digestOf } from '../../harness/layers.ts'
import { file } from '../../harness/tar-builder.ts'
import {
  addContainer,
  load,
  makeImage,
  ociArchive,
  openTestStore,
  smallImage,
  type TestImage,
  type TestStore,
} from './harness.ts'

let store: TestStore
beforeEach(() => {
  store = openTestStore()
})
afterEach(async () => {
  await store.close()
})

/** Puts images in by name. Those of one call share nothing but what they are given. */
async function put(images: Record<string, TestImage>): Promise<void> {
  await load(store, ociArchive(Object.entries(images).map(([name, image]) => ({ name, image }))))
}

/** An image of one layer, made quickly. */
const tiny = (seed: string, config: Record<string, unknown> = {}) =>
  makeImage([[file('seed', seed)]], { config })
/** One without layers, made at once. */
const bare = (seed: string, config: Record<string, unknown> = {}) =>
  makeImage([], { config: { Env: [`SEED=${seed}`], ...config } })
const chainsOf = (image: TestImage) => chainIds(image.layers.map(({ archive }) => digestOf(archive)))
const names = async (query?: Parameters<typeof listImages>[1]) =>
  (await listImages(store.context, query)).flatMap((image) => image.names).toSorted()

describe('finding an image', () => {
  it('takes names with and without defaults, ids and beginnings of ids', async () => {
    const image = bare('a')
    await put({ 'docker.io/library/alpine:latest': image })
    const id = image.config.digest
    const texts = [
      'alpine',
      'alpine:latest',
      'library/alpine',
      'docker.io/alpine',
      id,
      id.slice(7),
      id.slice(7, 8),
      id.slice(0, 12),
    ]
    for (const text of texts) expect(findImage(store.context, text).id).toBe(id)
  })

  it('says what to do when there is none', () => {
    const find = (text: string) => () => findImage(store.context, text)
    expect(find('alpine')).toThrow(
      expect.objectContaining({ code: 'not_found', hint: 'pull it with: kago pull alpine:latest' }),
    )
    expect(find('Not A Name')).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(find(`sha256:${'0'.repeat(64)}`)).toThrow(expect.objectContaining({ code: 'not_found' }))
  })

  it('refuses a beginning that several ids have', async () => {
    const images = Array.from({ length: 17 }, (_, index) => bare(`${index}`))
    await put(Object.fromEntries(images.map((image, index) => [`many:${index}`, image])))
    const ids = images.map(({ config }) => config.digest.slice(7, 8))
    const shared = ids.find((first, index) => ids.indexOf(first) !== index) ?? ''
    expect(() => findImage(store.context, shared)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
  })
})

describe('listing images', () => {
  beforeEach(async () => {
    await put({
      'alpine:3': bare('a', { Labels: { tier: 'base', 'kago.restart': 'always' } }),
      'localhost/app:dev': bare('b', { Labels: { tier: 'top' } }),
      'old:1': bare('c'),
    })
    await put({ 'old:1': bare('d') })
  })

  it.each([
    [{ name: 'alpine' }, ['alpine:3']],
    [{ name: 'alpine:3' }, ['alpine:3']],
    [{ name: 'alp' }, []],
    [{ filter: ['reference=*:3'] }, ['alpine:3']],
    [{ filter: ['reference=*/app'] }, ['localhost/app:dev']],
    [{ filter: ['reference=alpine', 'reference=old'] }, ['alpine:3', 'old:1']],
    [{ filter: ['label=tier'] }, ['alpine:3', 'localhost/app:dev']],
    [{ filter: ['label=tier=base'] }, ['alpine:3']],
    [{ filter: ['label=tier=base', 'label=absent'] }, []],
    [{ filter: ['dangling=false'] }, ['alpine:3', 'localhost/app:dev', 'old:1']],
    [{ filter: ['dangling=true'] }, []],
  ])('by %j', async (query, expected) => {
    expect(await names(query)).toEqual(expected)
  })

  it('shows images without a name as dangling', async () => {
    expect(await listImages(store.context, { filter: ['dangling=true'] })).toHaveLength(1)
    expect(await listImages(store.context)).toHaveLength(4)
  })

  it('refuses a filter that it does not know, naming those it does', async () => {
    await expect(listImages(store.context, { filter: ['colour=red'] })).rejects.toMatchObject({
      code: 'invalid_argument',
      hint: 'filters are KEY=VALUE; known keys: dangling, label, reference, before, since',
    })
  })

  it('leaves out labels that are the engine’s own', async () => {
    const [image] = await listImages(store.context, { name: 'alpine' })
    expect(image?.labels).toEqual({ tier: 'base' })
  })

  it('shows the others when the config of one is damaged', async () => {
    const { id } = findImage(store.context, 'alpine:3')
    store.context.memory.configs.clear()
    writeFileSync(store.context.content.path(id), 'damaged')
    expect(await listImages(store.context)).toHaveLength(4)
    await expect(inspectImage(store.context, 'alpine:3')).rejects.toMatchObject({ code: 'corrupt' })
  })

  it('by age compares when images were made', async () => {
    const dated = (seed: string, created: string) => {
      const image = bare(seed)
      const config = JSON.parse(image.config.bytes.toString())
      return { ...image, created: { ...config, created } }
    }
    for (const [index, created] of ['2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'].entries()) {
      const { created: document, ...image } = dated(`dated ${index}`, created)
      const bytes = Buffer.from(JSON.stringify(document))
      const config = { bytes, digest: digestOf(bytes) }
      const manifest = JSON.parse(image.manifest.bytes.toString())
      manifest.config = { ...manifest.config, digest: config.digest, size: bytes.length }
      const whole = Buffer.from(JSON.stringify(manifest))
      const made = { ...image, config, manifest: { bytes: whole, digest: digestOf(whole) } }
      const blobs = new Map(
        [made.config, made.manifest, ...image.layers].map((blob) => [blob.digest, blob.bytes]),
      )
      await put({ [`dated:${index}`]: { ...made, blobs } })
    }
    expect(await names({ filter: ['before=dated:1'] })).toEqual(['dated:0'])
    expect(await names({ name: 'dated', filter: ['since=dated:0'] })).toEqual(['dated:1'])
  })
})

describe('the history of an image', () => {
  it('gives each step its layer, newest first, and steps without one none', async () => {
    const image = smallImage()
    await put({ 'thing:1': image })
    const history = await imageHistory(store.context, 'thing:1')
    expect(history.map(({ createdBy, layer }) => [createdBy, layer])).toEqual([
      ['step 1', image.layers[1]?.digest],
      ['step 0', image.layers[0]?.digest],
    ])
  })
})

describe('tagging', () => {
  it('gives another name, and takes it from the image that had it', async () => {
    await put({ 'one:1': bare('1'), 'two:1': bare('2') })
    const { id } = findImage(store.context, 'one:1')
    expect(await tagImage(store.context, 'one:1', 'two:1')).toEqual({ id, name: 'two:1' })
    expect(findImage(store.context, 'two:1').id).toBe(id)
  })

  it('refuses a name with a digest', async () => {
    await put({ 'one:1': bare('1') })
    const target = `one@sha256:${'0'.repeat(64)}`
    await expect(tagImage(store.context, 'one:1', target)).rejects.toMatchObject({ code: 'invalid_argument' })
  })
})

describe('removing an image', () => {
  it('by its only name removes all of it, and keeps what another shares', async () => {
    const shared = [file('shared', 'both')]
    const [one, two] = [makeImage([shared, [file('x', '1')]]), makeImage([shared, [file('x', '2')]])]
    await put({ 'one:1': one, 'two:1': two })
    const removed = await removeImage(store.context, 'one:1')
    expect(removed).toMatchObject({ untagged: ['one:1'], deleted: [one.config.digest] })
    expect(removed.freedBytes).toBeGreaterThan(0)
    expect(await store.leftovers()).toMatchObject({ blobs: 4, layers: 2 })
    await removeImage(store.context, 'two:1')
    expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
  })

  it('by one of several names removes the name only', async () => {
    await put({ 'one:1': bare('1') })
    await tagImage(store.context, 'one:1', 'other:1')
    expect(await removeImage(store.context, 'one:1')).toEqual({
      untagged: ['one:1'],
      deleted: [],
      freedBytes: 0,
    })
    expect(await names()).toEqual(['other:1'])
  })

  it('by id with several names needs force', async () => {
    await put({ 'one:1': bare('1') })
    const { id } = await tagImage(store.context, 'one:1', 'other:1')
    await expect(removeImage(store.context, id)).rejects.toMatchObject({
      code: 'in_use',
      details: { names: ['one:1', 'other:1'] },
    })
    const removed = await removeImage(store.context, id, { force: true })
    expect(removed).toMatchObject({ untagged: ['one:1', 'other:1'], deleted: [id] })
  })

  it('that a stopped container needs is refused naming it, and with force only loses its names', async () => {
    const image = tiny('1')
    await put({ 'one:1': image })
    const { digest: imageId } = image.config
    addContainer(store, { id: 'c1', imageId, state: 'exited', chainIds: chainsOf(image) })
    await expect(removeImage(store.context, 'one:1')).rejects.toMatchObject({
      code: 'in_use',
      message: 'image one:1 is used by container name-c1',
    })
    const removed = await removeImage(store.context, 'one:1', { force: true })
    expect(removed).toEqual({ untagged: ['one:1'], deleted: [], freedBytes: 0 })
    expect(await store.leftovers()).toMatchObject({ layers: 1, blobs: 3 })
    store.context.containers.remove('c1', 'quick')
    expect(await removeImage(store.context, imageId)).toMatchObject({ deleted: [imageId] })
  })

  it.each(['running', 'paused', 'starting', 'stopping'] as const)(
    'that a %s container needs is refused even with force',
    async (state) => {
      const image = bare('1')
      await put({ 'one:1': image })
      addContainer(store, { id: 'c1', imageId: image.config.digest, state })
      await expect(removeImage(store.context, 'one:1', { force: true })).rejects.toMatchObject({
        code: 'in_use',
        hint: 'stop and remove it first: kago rm -f name-c1',
      })
      expect(await names()).toEqual(['one:1'])
    },
  )

  it('keeps layers that a container rests on though its image is gone', async () => {
    const image = tiny('1')
    await put({ 'one:1': image })
    addContainer(store, { id: 'c1', imageId: tiny('other').config.digest, chainIds: chainsOf(image) })
    await removeImage(store.context, 'one:1')
    expect(await store.leftovers()).toMatchObject({ layers: 1, blobs: 0 })
  })

  it('that a running verb holds is refused', async () => {
    const image = bare('1')
    await put({ 'one:1': image })
    const release = await store.context.memory.leases.hold([image.config.digest])
    await expect(removeImage(store.context, 'one:1')).rejects.toMatchObject({ code: 'in_use' })
    release()
    expect((await removeImage(store.context, 'one:1')).deleted).toHaveLength(1)
  })

  it('and loading it again at once gives it back whole', async () => {
    const archive = ociArchive([{ image: smallImage(), name: 'thing:1' }])
    for (let round = 0; round < 2; round++) {
      await load(store, archive)
      await removeImage(store.context, 'thing:1')
    }
    await load(store, archive)
    expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
  })
})

describe('what a start repairs', () => {
  it('removes trees without a record, scratch, and records without a use, and a second time does nothing', async () => {
    const image = smallImage()
    await put({ 'thing:1': image })
    const { context, root } = store
    const stray = await context.snapshotter.prepareLayer({ chainId: `sha256:${'ab'.repeat(32)}` })
    await context.snapshotter.commitLayer(stray)
    await context.snapshotter.prepareLayer({ chainId: `sha256:${'cd'.repeat(32)}` })
    writeFileSync(join(root, 'load-left'), '')
    for (let round = 0; round < 2; round++) {
      await recoverImages(context)
      expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
    }
    context.images.removeName('docker.io/library/thing:1')
    context.images.removeImage(image.config.digest)
    await recoverImages(context)
    expect(await store.leftovers()).toMatchObject({ layers: 0 })
  })
})

describe('the embedded image', () => {
  it('is loaded once: who removed it is not given it again', async () => {
    const path = join(store.root, 'embedded.tar')
    const image = bare('busybox')
    writeFileSync(path, ociArchive([{ image, name: 'localhost/busybox:latest' }]))
    await loadEmbedded(store.context, path)
    expect(await names()).toEqual(['localhost/busybox:latest'])
    await removeImage(store.context, 'localhost/busybox')
    await settleDeletions(store.context)
    await loadEmbedded(store.context, path)
    expect(await names()).toEqual([])
  })

  it('that is missing or broken keeps nobody from starting', async () => {
    const path = join(store.root, 'embedded.tar')
    await loadEmbedded(store.context, path)
    writeFileSync(path, 'no tar')
    await loadEmbedded(store.context, path)
    expect(await names()).toEqual([])
    rmSync(path)
  })
})
