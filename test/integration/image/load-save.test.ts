import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inspectImage } from '../../../daemon/image/inspect.ts'
import { listImages } from '../../../daemon/image/list.ts'
import { saveImages } from '../../../daemon/image/save.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import { file, symlink, tar } from '../../harness/tar-builder.ts'
import { load, makeImage, ociArchive, openTestStore, smallImage, type TestStore } from './harness.ts'

let store: TestStore
let directory: string
beforeEach(() => {
  store = openTestStore()
  directory = mkdtempSync(join(tmpdir(), 'kago-archives-'))
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

const save = async (...names: string[]) => await buffer(await saveImages(store.context, names))

describe('loading an OCI layout', () => {
  it('gives the image its id, digests and name, and unpacks its layers', async () => {
    const image = smallImage()
    const { loaded } = await load(store, ociArchive([{ image, name: 'docker.io/library/thing:1' }]))
    expect(loaded).toEqual([{ id: image.config.digest, names: ['thing:1'] }])
    const details = await inspectImage(store.context, 'thing:1')
    expect(details.manifestDigest).toBe(image.manifest.digest)
    expect(details.layers.map(({ digest }) => digest)).toEqual(image.layers.map(({ digest }) => digest))
    expect(details.createdAt).toBe('2024-01-02T03:04:05.678Z')
    expect(await store.leftovers()).toMatchObject({ partials: 0, layers: 2, scratch: [] })
  })

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('reads it compressed with %s', async (_name, compress) => {
    const { loaded } = await load(store, compress(ociArchive([{ image: smallImage(), name: 'x/y:2' }])))
    expect(loaded[0]?.names).toEqual(['x/y:2'])
  })

  it('reads layers that are plain or zstd', async () => {
    const plain = smallImage('p', { compress: (bytes) => bytes, layerType: mediaTypes.ociLayer })
    const zstd = smallImage('z', {
      compress: (bytes) => zstdCompressSync(bytes),
      layerType: mediaTypes.ociLayerZstd,
    })
    const { loaded } = await load(
      store,
      ociArchive([
        { image: plain, name: 'plain:1' },
        { image: zstd, name: 'zstd:1' },
      ]),
    )
    expect(loaded.map(({ id }) => id)).toEqual([plain.config.digest, zstd.config.digest])
  })

  it('says when a name is taken from another image, which stays', async () => {
    const [one, two] = [smallImage('1'), smallImage('2')]
    await load(store, ociArchive([{ image: one, name: 'thing:1' }]))
    const { said } = await load(store, ociArchive([{ image: two, name: 'thing:1' }]))
    const message = `thing:1 now names ${two.config.digest.slice(7, 19)}; the image it named before is still there as ${one.config.digest.slice(7, 19)}`
    expect(said).toContainEqual({ type: 'notice', message })
    const images = await listImages(store.context)
    expect(images.map(({ id, names }) => [id, names])).toEqual(
      expect.arrayContaining([
        [one.config.digest, []],
        [two.config.digest, ['thing:1']],
      ]),
    )
  })

  it('loads it a second time without unpacking anything', async () => {
    const archive = ociArchive([{ image: smallImage(), name: 'thing:1' }])
    await load(store, archive)
    const { said } = await load(store, archive)
    expect(said.filter((each) => each.type === 'layer' && each.phase === 'unpacking')).toEqual([])
    expect(await listImages(store.context)).toHaveLength(1)
  })

  it('takes a nameless image by its id only', async () => {
    const image = smallImage()
    const { loaded } = await load(store, ociArchive([{ image }]))
    expect(loaded).toEqual([{ id: image.config.digest, names: [] }])
    expect((await inspectImage(store.context, image.config.digest.slice(7, 19))).names).toEqual([])
  })
})

describe('loading a Docker archive', () => {
  const dockerArchive = (layers: 'plain' | 'gzip') => {
    const image = smallImage()
    const bytes = image.layers.map((layer) => (layers === 'plain' ? layer.archive : layer.bytes))
    const hex = image.config.digest.slice(7)
    const archive = tar(
      file('aaa/VERSION', '1.0'),
      file('aaa/json', '{}'),
      file('aaa/layer.tar', bytes[0] ?? ''),
      symlink('bbb/layer.tar', '../ccc/layer.tar'),
      file('ccc/layer.tar', bytes[1] ?? ''),
      file(`${hex}.json`, image.config.bytes),
      file(
        'manifest.json',
        JSON.stringify([
          { Config: `${hex}.json`, RepoTags: ['old:1', 'old:2'], Layers: ['aaa/layer.tar', 'bbb/layer.tar'] },
        ]),
      ),
      file('repositories', '{}'),
    )
    return { image, archive }
  }

  it.each(['plain', 'gzip'] as const)(
    'of the old form with %s layers keeps the id and gives all names',
    async (layers) => {
      const { image, archive } = dockerArchive(layers)
      const { loaded } = await load(store, archive)
      expect(loaded).toEqual([{ id: image.config.digest, names: ['old:1', 'old:2'] }])
      const details = await inspectImage(store.context, 'old:2')
      expect(details.layers.map(({ mediaType }) => mediaType)).toEqual(
        layers === 'plain'
          ? [mediaTypes.ociLayer, mediaTypes.ociLayer]
          : [mediaTypes.ociLayerGzip, mediaTypes.ociLayerGzip],
      )
      expect(await store.leftovers()).toMatchObject({ blobs: 4, partials: 0, layers: 2, scratch: [] })
    },
  )
})

describe('saving', () => {
  it('and loading elsewhere gives the same ids, digests and names', async () => {
    const images = [smallImage('1'), smallImage('2')]
    await load(store, ociArchive(images.map((image, index) => ({ image, name: `localhost/many:${index}` }))))
    const archive = await save('localhost/many:0', 'localhost/many:1')
    const other = openTestStore()
    try {
      const { loaded } = await load(other, archive)
      expect(loaded).toEqual(
        images.map(({ config }, index) => ({ id: config.digest, names: [`localhost/many:${index}`] })),
      )
      for (const name of ['localhost/many:0', 'localhost/many:1'])
        expect(await inspectImage(other.context, name)).toEqual(await inspectImage(store.context, name))
    } finally {
      await other.close()
    }
  })

  it('twice gives the same bytes', async () => {
    await load(store, ociArchive([{ image: smallImage(), name: 'thing:1' }]))
    expect((await save('thing:1')).equals(await save('thing:1'))).toBe(true)
  })

  it('what is damaged on the disk ends with an error instead of a good archive', async () => {
    const image = smallImage()
    await load(store, ociArchive([{ image, name: 'thing:1' }]))
    const path = store.context.content.path(image.layers[0]?.digest ?? image.config.digest)
    const bytes = readFileSync(path)
    bytes[5] = (bytes[5] ?? 0) ^ 1
    writeFileSync(path, bytes)
    await expect(save('thing:1')).rejects.toMatchObject({ code: 'corrupt' })
  })

  it('refuses an image that is not there', async () => {
    await expect(save('nothing:1')).rejects.toMatchObject({ code: 'not_found' })
  })

  it.each(['oci-archive', 'docker-archive'])('gives what skopeo reads as %s', async (transport) => {
    const image = makeImage([[file('f', Buffer.alloc(300_000, 7))], [file('g', 'x')]])
    await load(store, ociArchive([{ image, name: 'docker.io/library/thing:1' }]))
    const archive = join(directory, 'saved.tar')
    writeFileSync(archive, await save('thing:1'))
    const target = join(directory, 'target')
    execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', `${transport}:${archive}`, `dir:${target}`])
    const manifest = JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8'))
    expect(manifest.config.digest).toBe(image.config.digest)
    expect(manifest.layers).toHaveLength(2)
  })

  it.each(['oci-archive', 'docker-archive'])(
    'and what skopeo writes as %s can be loaded',
    async (transport) => {
      const image = smallImage()
      await load(store, ociArchive([{ image, name: 'docker.io/library/thing:1' }]))
      const saved = join(directory, 'saved.tar')
      writeFileSync(saved, await save('thing:1'))
      const written = join(directory, 'written.tar')
      execFileSync('skopeo', [
        '--insecure-policy',
        'copy',
        '-q',
        `oci-archive:${saved}`,
        `${transport}:${written}:docker.io/library/again:7`,
      ])
      const other = openTestStore()
      try {
        const { loaded } = await load(other, readFileSync(written))
        expect(loaded).toEqual([{ id: image.config.digest, names: ['again:7'] }])
      } finally {
        await other.close()
      }
    },
  )
})
