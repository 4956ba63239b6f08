import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listImages } from '../../../daemon/image/list.ts'
import { loadImages } from '../../../daemon/image/load.ts'
import { toKagoError } from '../../../shared/errors.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import { directory, file, hardlink, header, symlink, type TarPart, tar } from '../../harness/tar-builder.ts'
import {
  blobPath,
  inPieces,
  json,
  load,
  makeImage,
  never,
  ociArchive,
  openTestStore,
  smallImage,
  type TestImage,
  type TestStore,
} from '../../integration/image/harness.ts'

let store: TestStore
let victim: string
beforeEach(() => {
  store = openTestStore()
  victim = mkdtempSync(join(tmpdir(), 'kago-victim-'))
  writeFileSync(join(victim, 'canary'), 'untouched')
})
afterEach(async () => {
  const isUntouched = readFileSync(join(victim, 'canary'), 'utf8') === 'untouched'
  if (!isUntouched || readdirSync(victim).length !== 1)
    throw new Error('an archive reached outside of the store')
  rmSync(victim, { recursive: true })
  await store.close()
})

const nothing = { blobs: 0, partials: 0, layers: 0, scratch: [] }

/** How a load failed, and what it left. */
async function refusalOf(archive: Buffer | Promise<unknown>): Promise<object> {
  const failure: unknown = await (Buffer.isBuffer(archive) ? load(store, archive) : archive).then(
    () => 'it was loaded',
    (error: unknown) => error,
  )
  const { code, message } = toKagoError(failure)
  return { code, message, left: await store.leftovers(), images: (await listImages(store.context)).length }
}

const clean = { left: nothing, images: 0 }

/** A Docker archive of a good image, whose config or layer is somewhere else. */
function dockerArchive(paths: { config?: string; layer?: string }, more: TarPart[] = []): Buffer {
  const image = makeImage([[file('f', 'x')]], { compress: (bytes) => bytes })
  const { config = 'config.json', layer = 'layer.tar' } = paths
  return tar(
    file('config.json', image.config.bytes),
    file('layer.tar', image.layers[0]?.archive ?? ''),
    ...more,
    file('manifest.json', JSON.stringify([{ Config: config, RepoTags: ['x:1'], Layers: [layer] }])),
  )
}

/** An OCI archive of one image with changed documents. */
function archiveOf(
  change: (documents: { manifest: Record<string, unknown>; config: Record<string, unknown> }) => void,
): Buffer {
  const image = smallImage()
  const documents = {
    manifest: JSON.parse(image.manifest.bytes.toString()),
    config: JSON.parse(image.config.bytes.toString()),
  }
  const configBefore = JSON.stringify(documents.config)
  change(documents)
  const config = json(documents.config)
  if (JSON.stringify(documents.config) !== configBefore) {
    documents.manifest.config = {
      mediaType: mediaTypes.ociConfig,
      digest: config.digest,
      size: config.bytes.length,
    }
  }
  const manifest = json(documents.manifest)
  const blobs = new Map([...image.blobs, [config.digest, config.bytes], [manifest.digest, manifest.bytes]])
  const changed: TestImage = { ...image, manifest, config, blobs }
  return ociArchive([{ image: changed, name: 'x:1' }])
}

describe('an archive that leads out of itself', () => {
  it.each<[string, () => TarPart]>([
    ['a file', () => file('../../evil', 'x')],
    ['an absolute name', () => file(`/${'../'.repeat(20)}${victim}/evil`, 'x')],
    ['a symbolic link', () => symlink('blobs', '../../..')],
    ['a hard link', () => hardlink('a/b', '../../../etc/shadow')],
  ])('by %s is refused', async (_what, part) => {
    expect(await refusalOf(tar(part(), file('index.json', '{}')))).toMatchObject({
      ...clean,
      code: 'invalid_argument',
      message: expect.stringMatching(/^the archive is no image archive: the entry .* leads out of it$/),
    })
  })

  it('by a link to an absolute path finds nothing there', async () => {
    const archive = dockerArchive({ layer: 'link/layer.tar' }, [
      symlink('link/layer.tar', `${victim}/canary`),
    ])
    expect(await refusalOf(archive)).toMatchObject({ ...clean, code: 'invalid_argument' })
  })

  it('by links that go round in circles is refused', async () => {
    const archive = dockerArchive({ layer: 'a' }, [symlink('a', 'b'), symlink('b', 'a')])
    expect(await refusalOf(archive)).toMatchObject({
      ...clean,
      code: 'invalid_argument',
      message: 'the archive lacks a file that it names: "a"',
    })
  })

  it.each(['/etc/passwd', '../../../etc/passwd', '__proto__', 'constructor'])(
    'by naming %s as a config is refused',
    async (config) => {
      expect(await refusalOf(dockerArchive({ config }))).toMatchObject({ ...clean, code: 'invalid_argument' })
    },
  )
})

describe('an archive with what no image has', () => {
  it.each<[string, TarPart]>([
    ['a block device', { name: 'disk', type: '4', major: 8, minor: 0 }],
    ['a character device', { name: 'zero', type: '3', major: 1, minor: 5 }],
    ['a FIFO', { name: 'pipe', type: '6' }],
  ])('as %s is refused', async (_what, part) => {
    expect(await refusalOf(tar(part, file('index.json', '{}')))).toMatchObject({
      ...clean,
      code: 'invalid_argument',
    })
  })

  it('as files and directories that it does not name is loaded without them', async () => {
    const more = [directory('blobs'), file('README', 'hello'), file('a/b/c', 'x')]
    await load(store, ociArchive([{ image: smallImage(), name: 'x:1' }], more))
    expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
  })

  it('as blobs that no image needs is loaded without them', async () => {
    const stray = json({ stray: true })
    const archive = ociArchive(
      [{ image: smallImage(), name: 'x:1' }],
      [file(blobPath(stray.digest), stray.bytes)],
    )
    await load(store, archive)
    expect(await store.leftovers()).toMatchObject({ blobs: 4 })
  })
})

describe('an archive that lies', () => {
  it('about a blob’s digest is refused', async () => {
    const image = smallImage()
    const [layer] = image.layers
    if (layer !== undefined) image.blobs.set(layer.digest, Buffer.from('other bytes'))
    expect(await refusalOf(ociArchive([{ image, name: 'x:1' }]))).toMatchObject({ ...clean, code: 'corrupt' })
  })

  it('about a name twice, with different bytes, is refused', async () => {
    expect(
      await refusalOf(tar(file('layer.tar', 'a'), file('layer.tar', 'b'), file('manifest.json', '[]'))),
    ).toMatchObject({
      ...clean,
      code: 'invalid_argument',
      message: 'the archive has two different files called "layer.tar"',
    })
    expect(await refusalOf(tar(file('index.json', '{}'), file('index.json', '[]')))).toMatchObject({
      ...clean,
      code: 'invalid_argument',
    })
  })

  it('about what its layers unpack to is refused', async () => {
    const archive = archiveOf(({ config }) => {
      config.rootfs = { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`] }
    })
    expect(await refusalOf(archive)).toMatchObject({ ...clean, code: 'corrupt' })
  })

  it('about a digest’s form is refused before it is a path', async () => {
    for (const digest of [
      'sha256:../../../etc/passwd',
      `sha256:${'A'.repeat(64)}`,
      `md5:${'a'.repeat(32)}`,
      '',
      7,
    ]) {
      const archive = archiveOf(({ manifest }) => {
        manifest.layers = [{ mediaType: mediaTypes.ociLayer, digest, size: 1 }]
      })
      expect(await refusalOf(archive)).toMatchObject({ ...clean, code: 'corrupt' })
    }
  })

  it('about what it brings is told what is missing', async () => {
    const image = smallImage()
    const [layer] = image.layers
    if (layer !== undefined) image.blobs.delete(layer.digest)
    expect(await refusalOf(ociArchive([{ image, name: 'x:1' }]))).toMatchObject({
      ...clean,
      code: 'corrupt',
      message: `the archive is incomplete: it lacks ${blobPath(layer?.digest ?? image.config.digest)}`,
    })
  })

  it.each<[string, (config: Record<string, unknown>) => void]>([
    ['config null', (config) => void (config.config = null)],
    ['no history', (config) => void delete config.history],
    ['Env null', (config) => void (config.config = { Env: null, Cmd: null, Labels: null })],
  ])('about nothing, having %s, is loaded', async (_what, change) => {
    await load(
      store,
      archiveOf(({ config }) => change(config)),
    )
    expect(await listImages(store.context)).toHaveLength(1)
  })

  it.each<[string, (config: Record<string, unknown>) => void]>([
    ['rootfs missing', (config) => void delete config.rootfs],
    ['diff_ids no array', (config) => void (config.rootfs = { diff_ids: 'x' })],
    ['fewer diff_ids than layers', (config) => void (config.rootfs = { diff_ids: [] })],
    ['Env an object', (config) => void (config.config = { Env: { A: 'b' } })],
    ['Env with a number', (config) => void (config.config = { Env: [1] })],
    ['history a number', (config) => void (config.history = 3)],
    ['os an object', (config) => void (config.os = {})],
    ['os with control characters', (config) => void (config.os = 'li\u001b[31mnux')],
  ])('about its config, having %s, is refused', async (_what, change) => {
    expect(await refusalOf(archiveOf(({ config }) => change(config)))).toMatchObject({
      ...clean,
      code: 'corrupt',
    })
  })
})

describe('an archive that is too much', () => {
  it('as a document larger than any is refused before it is read', async () => {
    for (const name of ['index.json', 'manifest.json', 'oci-layout'])
      expect(await refusalOf(tar(file(name, Buffer.alloc(4 * 1024 * 1024 + 1, 32))))).toMatchObject({
        ...clean,
        code: 'corrupt',
      })
  })

  it('as a config larger than any is refused', async () => {
    const bytes = Buffer.alloc(5 * 1024 * 1024, 32)
    const archive = tar(
      file('c.json', bytes),
      file('manifest.json', JSON.stringify([{ Config: 'c.json', Layers: [] }])),
    )
    expect(await refusalOf(archive)).toMatchObject({ ...clean, code: 'corrupt' })
  })

  it('as a file that claims more than the disk has is refused at once', async () => {
    for (const name of [`blobs/sha256/${'a'.repeat(64)}`, 'layer.tar']) {
      const claim = header({ name }, 2 ** 40)
      expect(await refusalOf(Buffer.concat([claim, Buffer.alloc(4096)]))).toMatchObject({
        ...clean,
        code: 'exhausted',
      })
    }
  })

  it('as JSON that is deep or wide is refused in words', async () => {
    for (const text of [
      '['.repeat(1_000_000),
      `[${'{},'.repeat(500_000)}{}]`,
      '{"manifests":'.repeat(1000),
      'null',
      '7',
      '',
    ])
      expect(await refusalOf(tar(file('index.json', text)))).toMatchObject({ ...clean, code: 'corrupt' })
  })

  it('as indexes inside indexes is refused', async () => {
    let inner = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] })
    const blobs = [file(blobPath(inner.digest), inner.bytes)]
    const entry = () => ({ mediaType: mediaTypes.ociIndex, digest: inner.digest, size: inner.bytes.length })
    for (let depth = 0; depth < 50; depth++) {
      inner = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry()] })
      blobs.push(file(blobPath(inner.digest), inner.bytes))
    }
    const index = { schemaVersion: 2, manifests: [entry()] }
    expect(await refusalOf(tar(file('index.json', JSON.stringify(index)), ...blobs))).toMatchObject({
      ...clean,
      code: 'corrupt',
      message: 'the archive has indexes inside indexes, more than 4 deep',
    })
  })

  it('as more entries than any has is refused', async () => {
    const one = tar(file('x', '')).subarray(0, 512)
    const many = Readable.from(
      (function* () {
        const chunk = Buffer.concat(Array.from({ length: 1000 }, () => one))
        for (let at = 0; at < 200; at++) yield chunk
      })(),
      { objectMode: false },
    )
    expect(
      await refusalOf(loadImages(store.context, many, { report: () => {}, signal: never })),
    ).toMatchObject({ ...clean, code: 'invalid_argument' })
  })

  it('as a compressed sea of zeros fills neither memory nor disk', async () => {
    const gzip = createGzip({ level: 9 })
    const zeros = Readable.from(
      (function* () {
        yield header({ name: 'layer.tar' }, 2 ** 40)
        for (let at = 0; at < 256; at++) yield Buffer.alloc(1 << 20)
      })(),
      { objectMode: false },
    )
    const bomb = zeros.pipe(gzip)
    expect(
      await refusalOf(loadImages(store.context, bomb, { report: () => {}, signal: never })),
    ).toMatchObject({ ...clean, code: 'exhausted' })
    zeros.destroy()
    bomb.destroy()
  })
})

describe('an archive that is none', () => {
  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello, world\n'.repeat(100))],
    ['an empty archive', tar()],
    ['an archive of something else', tar(file('a', 'b'))],
    ['an archive without images', tar(file('manifest.json', '[]'))],
    ['half an archive', ociArchive([{ image: smallImage() }]).subarray(0, 3000)],
    ['damaged gzip', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
  ])('being %s is refused in words', async (_what, bytes) => {
    expect(await refusalOf(bytes)).toMatchObject({ ...clean, code: 'invalid_argument' })
  })

  it('because its reader was told to stop leaves nothing', async () => {
    const cancel = new AbortController()
    const archive = inPieces(ociArchive([{ image: smallImage(), name: 'x:1' }]), 512)
    archive.once('data', () => cancel.abort())
    expect(
      await refusalOf(loadImages(store.context, archive, { report: () => {}, signal: cancel.signal })),
    ).toMatchObject({ ...clean, code: 'cancelled' })
  })
})

describe('names in an archive', () => {
  it('that are not valid are left out with a notice that is safe to print', async () => {
    const image = smallImage()
    const { loaded, said } = await load(store, ociArchive([{ image, name: 'Bad\u001b[2J/../NAME' }]))
    expect(loaded).toEqual([{ id: image.config.digest, names: [] }])
    const [notice] = said.filter((each) => each.type === 'notice')
    expect(notice?.message).toContain('a name in the archive is not valid')
    // oxlint-disable-next-line no-control-regex
    expect(notice?.message).not.toMatch(/[\u0000-\u001f]/)
  })

  it('do not destroy the image they named before', async () => {
    const [mine, theirs] = [smallImage('mine'), smallImage('theirs')]
    await load(store, ociArchive([{ image: mine, name: 'docker.io/library/alpine:latest' }]))
    await load(store, ociArchive([{ image: theirs, name: 'docker.io/library/alpine:latest' }]))
    const ids = (await listImages(store.context)).map(({ id }) => id)
    expect(ids.toSorted()).toEqual([mine.config.digest, theirs.config.digest].toSorted())
  })
})
