/** Mirrors are asked first, and nothing that is wrong with one fails a pull. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry } from '../../harness/registry/registry.ts'
import { collect, failureOf, makeClient, setUp } from './setup.ts'

async function setUpMirrored() {
  const origin = await setUp()
  const mirror = await startRegistry()
  onTestFinished(async () => await mirror.close())
  await pushImage(mirror, 'library/thing', 'latest', origin.image)
  const client = makeClient({ mirrors: { [origin.registry.host]: [mirror.url] } })
  return { ...origin, mirror, client }
}

describe('a mirror', () => {
  it('serves all there is, and the registry is not asked', async () => {
    const { client, reference, layer, mirror, registry } = await setUpMirrored()
    await client.resolve(reference)
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(registry.requests).toEqual([])
    expect(mirror.requests.length).toBeGreaterThan(0)
  })

  it('is not given the registry’s credentials', async () => {
    const { client, reference, layer, mirror, registry } = await setUpMirrored()
    const { credentials } = registry
    await client.resolve(reference, { credentials })
    await collect(client.fetchBlob(reference, layer, { credentials }))
    expect(mirror.requests.filter(({ authorization }) => authorization?.startsWith('Basic'))).toEqual([])
  })

  it('serves a repository below a path', async () => {
    const { image, registry, layer, reference } = await setUp()
    const mirror = await startRegistry()
    onTestFinished(async () => await mirror.close())
    await pushImage(mirror, 'proxy/hub/library/thing', 'latest', image)
    const client = makeClient({ mirrors: { [registry.host]: [`${mirror.url}/proxy/hub`] } })
    await client.resolve(reference)
    await collect(client.fetchBlob(reference, layer))
    expect(registry.requests).toEqual([])
  })

  it('that is not there is passed over', async () => {
    const { registry, reference, layer, image } = await setUp()
    const mirrors = { [registry.host]: ['http://127.0.0.1:1', 'https://mirror.invalid'] }
    const client = makeClient({ mirrors })
    expect(await client.resolve(reference)).toMatchObject({ digest: image.manifest.digest })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('that has not got it is passed over', async () => {
    const { client, registry, mirror, image, nameOf } = await setUpMirrored()
    await pushImage(registry, 'only/here', 'latest', image)
    expect(await client.resolve(nameOf('only/here'))).toMatchObject({ digest: image.manifest.digest })
    expect(mirror.requests.length).toBeGreaterThan(0)
  })

  it.each([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 403 },
    { kind: 'flip', at: 5 },
    { kind: 'drop', after: 5 },
    { kind: 'body', body: '<html>captive portal</html>' },
  ] as const)('whose manifest has %j is passed over', async (fault) => {
    const { client, reference, mirror, registry, image, nameOf } = await setUpMirrored()
    mirror.faults.add({ on: 'manifest', times: 9, ...fault })
    const name = fault.kind === 'body' ? nameOf(`library/thing@${image.manifest.digest}`) : reference
    expect(await client.resolve(name)).toMatchObject({ digest: image.manifest.digest })
    expect(registry.requests.length).toBeGreaterThan(0)
  })

  it('that breaks off in a blob is followed by the registry, at that byte', async () => {
    const { client, reference, layer, mirror, registry } = await setUpMirrored()
    mirror.faults.add({ on: 'blob', kind: 'drop', after: 123, times: 9 })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(registry.requests.filter(({ server }) => server === 'storage').map(({ range }) => range)).toEqual([
      'bytes=123-',
    ])
  })

  it('that delivers wrong bytes can be left out of the second try', async () => {
    const { client, reference, layer, mirror } = await setUpMirrored()
    mirror.faults.add({ on: 'blob', kind: 'flip', at: 5, times: 9 })
    expect(await collect(client.fetchBlob(reference, layer))).not.toEqual(layer.bytes)
    expect(await collect(client.fetchBlob(reference, layer, { isDirect: true }))).toEqual(layer.bytes)
  })

  it('does not hide why the registry itself fails', async () => {
    const { client, nameOf } = await setUpMirrored()
    expect(await failureOf(client.resolve(nameOf('library/thing:never')))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('thing:never is not in the registry'),
    })
  })
})
