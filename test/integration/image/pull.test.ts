import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { settleDeletions } from '../../../daemon/image/collect.ts'
import { findImage } from '../../../daemon/image/find.ts'
import { removeImage } from '../../../daemon/image/remove.ts'
import { saveImages } from '../../../daemon/image/save.ts'
import { noFaults } from '../../../daemon/operation/faults.ts'
import { KagoError } from '../../../shared/errors.ts'
import { recoverImages } from '../../../daemon/image/recover.ts'
import { ensureImage } from '../../../daemon/image/ensure.ts'
import { inspectImage } from '../../../daemon/image/inspect.ts'
import { pullAllTags } from '../../../daemon/image/pull-all.ts'
import { pullImage } from '../../../daemon/image/pull.ts'
import { createRegistryClient, type RegistryClient } from '../../../daemon/registry/client.ts'
import type { Progress } from '../../../shared/protocol/progress.ts'
import { makeImage, makeIndex, type TestImage } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'
import { never, openTestStore, type TestStore } from './harness.ts'

let registry: TestRegistry
let client: RegistryClient
let store: TestStore

beforeAll(async () => {
  registry = await startRegistry()
  client = createRegistryClient({
    insecureRegistries: [],
    mirrors: {},
    timeouts: { stallMs: 2000 },
    retry: { attempts: 3, baseMs: 10, maximumMs: 50 },
  })
})
afterAll(async () => {
  await client.close()
  await registry.close()
})
beforeEach(() => {
  store = openTestStore({ registry: client })
  registry.faults.clear()
  registry.requests.length = 0
})
afterEach(async () => {
  await store.close()
})

const name = (repository: string, tag = '1') => `${registry.host}/${repository}:${tag}`

async function pull(
  reference: string,
  more: { platform?: string; signal?: AbortSignal; to?: TestStore } = {},
) {
  const said: Progress[] = []
  const { platform, signal = never, to = store } = more
  const options = { report: (progress: Progress) => void said.push(progress), signal }
  return { pulled: await pullImage(to.context, { reference, platform }, options), said }
}

const asked = (what: 'manifests' | 'blobs') =>
  registry.requests.filter(({ server, url }) => server === 'registry' && url.includes(`/${what}/`))

let images = 0
/** An image that no other test has. */
async function push(
  repository: string,
  options: Partial<Parameters<typeof makeImage>[0]> = {},
): Promise<TestImage> {
  const image = await makeImage({
    layers: [{ 'etc/one': `${repository} ${images++}` }, { 'etc/two': { data: randomBytes(50_000) } }],
    config: { Cmd: ['true'] },
    ...options,
  })
  await pushImage(registry, repository, '1', image)
  return image
}

describe('a pull', () => {
  it('brings the image with its layers, and its name last', async () => {
    const image = await push('team/plain')
    const { pulled, said } = await pull(name('team/plain'))
    expect(pulled).toEqual({
      reference: name('team/plain'),
      digest: image.manifest.digest,
      id: image.config.digest,
      upToDate: false,
    })
    const details = await inspectImage(store.context, name('team/plain'))
    expect(details.digests).toEqual([`${registry.host}/team/plain@${image.manifest.digest}`])
    expect(details.layers.map(({ diffId }) => diffId)).toEqual(image.diffIds)
    expect(said[0]).toMatchObject({
      type: 'resolved',
      digest: image.manifest.digest,
      rateLimit: { limit: 100 },
    })
    const phases = said.flatMap((each) =>
      each.type === 'layer' && each.digest === image.layers[1]?.digest ? [each.phase] : [],
    )
    // A layer as small as this is unpacked before there is progress to tell.
    const told = [...new Set(phases)].filter((phase) => phase !== 'unpacking')
    expect(told).toEqual(['waiting', 'downloading', 'downloaded', 'done'])
    expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
  })

  it('is recorded as steps that say what a person could type', async () => {
    await push('team/steps')
    await pull(name('team/steps'))
    const [operation] = store.context.journal.list(1)
    const { steps = [], status } = store.context.journal.find(operation?.id ?? '') ?? {}
    expect(status).toBe('done')
    expect(
      steps.map((step) => step.name.replace(/[0-9a-f]{12}$/, 'X').replace(/127.*/, 'N')).toSorted(),
    ).toEqual([
      'fetch layer sha256:X',
      'fetch layer sha256:X',
      'fetch the config',
      'find the image',
      'unpack layer sha256:X',
      'unpack layer sha256:X',
      'write the name N',
    ])
    expect(steps.every(({ status: each }) => each === 'done')).toBe(true)
  })

  it('of an image that is here and unchanged costs one HEAD, by digest nothing', async () => {
    const image = await push('team/again')
    await pull(name('team/again'))
    registry.requests.length = 0
    const { pulled } = await pull(name('team/again'))
    expect(pulled.upToDate).toBe(true)
    expect([...asked('manifests'), ...asked('blobs')].map(({ method }) => method)).toEqual(['HEAD'])
    registry.requests.length = 0
    const byDigest = await pull(`${registry.host}/team/again@${image.manifest.digest}`)
    expect(byDigest.pulled.upToDate).toBe(true)
    expect(registry.requests).toEqual([])
  })

  it('of a name that moved on fetches only what is new', async () => {
    const shared = { 'etc/shared': 'the same layer' }
    await push('team/moving', { layers: [shared, { 'etc/version': 'one' }] })
    const { pulled: before } = await pull(name('team/moving'))
    const image = await push('team/moving', { layers: [shared, { 'etc/version': 'two' }] })
    registry.requests.length = 0
    const { pulled, said } = await pull(name('team/moving'))
    expect(pulled).toMatchObject({ id: image.config.digest, upToDate: false })
    expect(asked('blobs')).toHaveLength(2)
    expect(said).toContainEqual({ type: 'layer', digest: image.layers[0]?.digest, phase: 'exists' })
    expect((await inspectImage(store.context, before.id)).names).toEqual([])
  })

  it('chooses the platform from an index, and keeps the index as what the name stands for', async () => {
    const parts = await Promise.all(
      ['amd64', 'arm64'].map((architecture) =>
        makeImage({ layers: [{ arch: `for ${architecture}` }], platform: { os: 'linux', architecture } }),
      ),
    )
    const index = makeIndex(parts)
    await pushImage(registry, 'team/many', '1', index)
    const { pulled } = await pull(name('team/many'))
    expect(pulled).toMatchObject({ digest: index.manifest.digest, id: parts[0]?.config.digest })
    const other = await pull(name('team/many'), { platform: 'linux/arm64' })
    expect(other.pulled).toMatchObject({ digest: index.manifest.digest, id: parts[1]?.config.digest })
    await expect(pull(name('team/many'), { platform: 'linux/s390x' })).rejects.toMatchObject({
      code: 'not_found',
      hint: 'it is offered for linux/amd64, linux/arm64',
    })
  })

  it('of an image for another machine is an error if a platform was asked for, else a notice', async () => {
    await push('team/foreign', { platform: { os: 'linux', architecture: 'riscv64' } })
    await expect(pull(name('team/foreign'), { platform: 'linux/amd64' })).rejects.toMatchObject({
      code: 'not_found',
    })
    const { said } = await pull(name('team/foreign'))
    expect(said).toContainEqual({
      type: 'notice',
      message: `${name('team/foreign')} is made for linux/riscv64, and this machine is linux/amd64`,
    })
  })

  it('at the same time as another of the same image downloads each layer once', async () => {
    const image = await push('team/twice')
    const pulls = await Promise.all([pull(name('team/twice')), pull(name('team/twice'))])
    for (const { pulled } of pulls) expect(pulled.id).toBe(image.config.digest)
    for (const { said } of pulls)
      expect(said.filter((each) => each.type === 'layer' && each.phase === 'done')).toHaveLength(2)
    const urls = asked('blobs').map(({ url }) => url)
    expect(new Set(urls).size).toBe(urls.length)
    expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
  })

  it('joined by another goes on for it when the first is cancelled', async () => {
    const image = await push('team/left')
    registry.faults.add({
      on: 'blob',
      kind: 'drip',
      bytes: 400,
      everyMs: 5,
      url: image.layers[1]?.digest.slice(7) ?? '',
    })
    const first = new AbortController()
    const cancelled = pull(name('team/left'), { signal: first.signal })
    const other = pull(name('team/left'))
    setTimeout(() => first.abort(), 150)
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    expect((await other).pulled.id).toBe(image.config.digest)
    expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
  })

  it('that is cancelled leaves only bytes to go on from, and the next one goes on', async () => {
    const image = await push('team/cancelled')
    const big = image.layers[1]
    const url = big?.digest.slice(7) ?? ''
    registry.faults.add({ on: 'blob', kind: 'drip', bytes: 400, everyMs: 5, url })
    const cancel = new AbortController()
    const report = (progress: Progress) => {
      const isHalfway =
        progress.type === 'layer' && progress.digest === big?.digest && (progress.current ?? 0) > 400
      if (isHalfway) cancel.abort()
    }
    const cut = pullImage(
      store.context,
      { reference: name('team/cancelled') },
      { report, signal: cancel.signal },
    )
    await expect(cut).rejects.toMatchObject({ code: 'cancelled' })
    expect(await store.leftovers()).toMatchObject({ partials: 1, layers: 0, scratch: [] })
    const [partial] = await store.context.content.listPartials()
    registry.requests.length = 0
    await pull(name('team/cancelled'))
    const ranges = registry.requests.flatMap(({ range }) => (range === undefined ? [] : [range]))
    expect(ranges[0]).toBe(`bytes=${partial?.bytes ?? 0}-`)
  })

  it('survives dropped connections, and says that it tries again', async () => {
    const image = await push('team/drops')
    registry.faults.add({
      on: 'blob',
      kind: 'drop',
      after: 1_000,
      url: image.layers[1]?.digest.slice(7) ?? '',
    })
    const { pulled, said } = await pull(name('team/drops'))
    expect(pulled.id).toBe(image.config.digest)
    expect(said.filter(({ type }) => type === 'notice')).toHaveLength(1)
  })

  it('of bytes that are not their digest fails and leaves nothing', async () => {
    const image = await push('team/flipped')
    registry.faults.add({
      on: 'blob',
      kind: 'flip',
      at: 99,
      times: 9,
      url: image.layers[1]?.digest.slice(7) ?? '',
    })
    await expect(pull(name('team/flipped'))).rejects.toMatchObject({ code: 'corrupt' })
    expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
    expect(store.context.images.list()).toEqual([])
  })

  it('of a layer whose archive is not what the config says fails and leaves nothing', async () => {
    const diffIds = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`]
    await push('team/lying', { document: { rootfs: { type: 'layers', diff_ids: diffIds } } })
    await expect(pull(name('team/lying'))).rejects.toMatchObject({ code: 'corrupt' })
    expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
  })

  it('of a config with another number of layers than the manifest fails and leaves nothing', async () => {
    await push('team/short', { document: { rootfs: { type: 'layers', diff_ids: [] } } })
    await expect(pull(name('team/short'))).rejects.toMatchObject({
      code: 'corrupt',
      message: `${name('team/short')} has 2 layers in its manifest and 0 in its config`,
    })
    expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
  })

  it('of what is not there says so and leaves nothing', async () => {
    await expect(pull(name('team/nothing'))).rejects.toMatchObject({
      message: expect.stringContaining('team/nothing:1'),
    })
    expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
  })

  it('of an image without layers works', async () => {
    const image = await push('team/empty', { layers: [] })
    expect((await pull(name('team/empty'))).pulled.id).toBe(image.config.digest)
  })

  it('of an image whose tree was lost makes it again without a download', async () => {
    const image = await push('team/lost')
    await pull(name('team/lost'))
    const [layer] = store.context.images.layers(image.config.digest)
    if (layer === undefined) throw new Error('no layer')
    await store.context.snapshotter.removeLayer(layer.chainId)
    await recoverImages(store.context)
    registry.requests.length = 0
    await pull(name('team/lost'))
    expect(asked('blobs')).toEqual([])
    expect(await store.leftovers()).toMatchObject({ layers: 2 })
  })
})

describe('a pull that fails in a step', () => {
  const steps = ['find the image', 'fetch the config', 'fetch layer', 'unpack layer', 'write the name']
  const places = steps.flatMap((step) => (['before', 'after'] as const).map((when) => [when, step] as const))

  it.each(places)('%s “%s” leaves nothing, and a second pull works', async (when, step) => {
    const image = await push('team/failing')
    let isArmed = true
    const strike = (kind: string, at: string) => {
      if (isArmed && kind === 'image.pull' && at.startsWith(step))
        throw new KagoError('exhausted', 'asked for')
    }
    const faults = { ...noFaults, [when]: strike }
    const failing = openTestStore({ registry: client, faults })
    try {
      await expect(pull(name('team/failing'), { to: failing })).rejects.toMatchObject({
        message: 'asked for',
      })
      expect(failing.context.images.list()).toEqual([])
      expect(failing.context.images.names()).toEqual([])
      expect(await failing.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
      isArmed = false
      const { pulled } = await pull(name('team/failing'), { to: failing })
      expect(pulled.id).toBe(image.config.digest)
    } finally {
      await failing.close()
    }
  })

  it('gives a name that moved back to the image that had it', async () => {
    const before = await push('team/back')
    let isArmed = false
    const after = (_kind: string, step: string) => {
      if (isArmed && step.startsWith('write the name')) throw new KagoError('exhausted', 'asked for')
    }
    const failing = openTestStore({ registry: client, faults: { ...noFaults, after } })
    try {
      await pull(name('team/back'), { to: failing })
      await push('team/back')
      isArmed = true
      await expect(pull(name('team/back'), { to: failing })).rejects.toMatchObject({ message: 'asked for' })
      expect(findImage(failing.context, name('team/back')).id).toBe(before.config.digest)
      expect(await failing.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
    } finally {
      await failing.close()
    }
  })
})

describe('removing an image while another that shares its layers is pulled', () => {
  it('takes nothing from the other', async () => {
    const shared = [{ 'etc/shared': 'one' }, { 'etc/also': 'two' }]
    await push('team/leaving', { layers: [...shared, { leaving: 'x' }] })
    const coming = await push('team/coming', { layers: [...shared, { coming: 'y' }] })
    await pull(name('team/leaving'))
    // At different moments of the pull.
    for (const turns of [0, 5, 20, 60]) {
      const pulling = pull(name('team/coming'))
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      await removeImage(store.context, name('team/leaving'))
      expect((await pulling).pulled.id).toBe(coming.config.digest)
      await settleDeletions(store.context)
      const { chainIds } = await ensureImage(
        store.context,
        { reference: name('team/coming'), pull: 'never' },
        { report: () => {}, signal: never },
      )
      for (const chainId of chainIds) expect(await store.context.snapshotter.hasLayer(chainId)).toBe(true)
      await buffer(await saveImages(store.context, [name('team/coming')]))
      await removeImage(store.context, name('team/coming'))
      expect(await store.leftovers()).toEqual({ blobs: 0, partials: 0, layers: 0, scratch: [] })
      await pull(name('team/leaving'))
    }
  })
})

describe('ensuring an image', () => {
  const options = { report: () => {}, signal: never }

  it('that is here asks no registry', async () => {
    const image = await push('team/here')
    await pull(name('team/here'))
    registry.requests.length = 0
    for (const reference of [name('team/here'), image.config.digest, image.config.digest.slice(7, 19)]) {
      const ensured = await ensureImage(store.context, { reference, pull: 'missing' }, options)
      expect(ensured.row.id).toBe(image.config.digest)
      expect(ensured.config.config.Cmd).toEqual(['true'])
      expect(ensured.chainIds).toHaveLength(2)
    }
    expect(registry.requests).toEqual([])
  })

  it('that is missing pulls it, unless that is forbidden', async () => {
    const image = await push('team/missing')
    const never_ = ensureImage(store.context, { reference: name('team/missing'), pull: 'never' }, options)
    await expect(never_).rejects.toMatchObject({
      code: 'not_found',
      hint: `pull it with: kago pull ${name('team/missing')}`,
    })
    expect(registry.requests).toEqual([])
    const ensured = await ensureImage(
      store.context,
      { reference: name('team/missing'), pull: 'missing' },
      options,
    )
    expect(ensured.row.id).toBe(image.config.digest)
  })

  it('always asks the registry when told to', async () => {
    await push('team/always')
    await pull(name('team/always'))
    registry.requests.length = 0
    await ensureImage(store.context, { reference: name('team/always'), pull: 'always' }, options)
    expect(asked('manifests').map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('for another platform than the one that is here pulls', async () => {
    const parts = await Promise.all(
      ['amd64', 'arm64'].map((architecture) =>
        makeImage({ layers: [{ arch: `again ${architecture}` }], platform: { os: 'linux', architecture } }),
      ),
    )
    await pushImage(registry, 'team/both', '1', makeIndex(parts))
    await pull(name('team/both'))
    const reference = name('team/both')
    const ensured = await ensureImage(
      store.context,
      { reference, platform: 'linux/arm64', pull: 'missing' },
      options,
    )
    expect(ensured.row.platform).toBe('linux/arm64')
    const other = ensureImage(store.context, { reference, platform: 'linux/amd64', pull: 'never' }, options)
    await expect(other).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('all tags of a repository', () => {
  const pullAll = async (reference: string) => {
    const said: Progress[] = []
    const options = { report: (progress: Progress) => void said.push(progress), signal: never }
    return { said, pulled: await pullAllTags(store.context, { reference }, options) }
  }

  it('are pulled, those that are the same image once', async () => {
    const image = await push('tags/all')
    await pushImage(registry, 'tags/all', '2', image)
    await pushImage(registry, 'tags/all', '3', await makeImage({ layers: [{ three: '3' }] }))
    registry.requests.length = 0
    const { pulled } = await pullAll(`${registry.host}/tags/all`)
    const ids = new Map(pulled.map(({ reference, id }) => [reference, id]))
    expect([...ids.keys()].toSorted()).toEqual(['1', '2', '3'].map((tag) => name('tags/all', tag)))
    expect(ids.get(name('tags/all', '2'))).toBe(image.config.digest)
    const blobs = asked('blobs').map(({ url }) => url)
    expect(new Set(blobs).size).toBe(blobs.length)
  })

  it('that can be had are there when others cannot', async () => {
    await push('tags/some')
    const foreign = makeIndex([
      await makeImage({ layers: [{ a: 'b' }], platform: { os: 'plan9', architecture: 'mips' } }),
    ])
    await pushImage(registry, 'tags/some', '0', foreign)
    await expect(pullAll(`${registry.host}/tags/some`)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('1 of 2 tags of'),
      details: { failed: ['0'], pulled: [name('tags/some')] },
    })
    expect(store.context.images.findByName(name('tags/some'))).toBeDefined()
  })

  it('are not meant by one of them', async () => {
    for (const suffix of [':1', `@sha256:${'a'.repeat(64)}`])
      await expect(pullAll(`${registry.host}/tags/all${suffix}`)).rejects.toMatchObject({
        code: 'invalid_argument',
        hint: `leave it out: ${registry.host}/tags/all`,
      })
  })
})
