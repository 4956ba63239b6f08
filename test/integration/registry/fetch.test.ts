/** Blobs as one stream, whatever the connections do. */
import { describe, expect, it } from 'vitest'
import type { BlobRetry } from '../../../daemon/registry/fetch.ts'
import { makeBlob } from '../../harness/registry/image.ts'
import { pushBlob } from '../../harness/registry/push.ts'
import { collect, failureOf, setUp } from './setup.ts'

describe('a blob', () => {
  it('comes whole, from any offset to its end', async () => {
    const { client, reference, layer } = await setUp()
    for (const offset of [0, 1, 17, layer.size - 1, layer.size])
      expect(await collect(client.fetchBlob(reference, layer, { offset }))).toEqual(
        layer.bytes.subarray(offset),
      )
  })

  it('cannot begin outside of itself', async () => {
    const { client, reference, layer } = await setUp()
    for (const offset of [-1, layer.size + 1, 0.5])
      expect(await failureOf(collect(client.fetchBlob(reference, layer, { offset })))).toMatchObject({
        code: 'invalid_argument',
      })
  })

  it('of no bytes needs no request', async () => {
    const { client, reference, registry } = await setUp()
    const empty = makeBlob(Buffer.alloc(0), '')
    expect(await collect(client.fetchBlob(reference, empty))).toHaveLength(0)
    expect(registry.requests).toEqual([])
  })

  it('whose reader stops early leaves nothing open', async () => {
    const { client, reference, registry } = await setUp({ redirectBlobs: false })
    const big = makeBlob(Buffer.alloc(8 << 20, 'x'), '')
    await pushBlob(registry, 'library/thing', big)
    for await (const chunk of client.fetchBlob(reference, big)) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    // Were the connection still open and unread, closing the registry would have to cut it; the client notices nothing.
    expect(await collect(client.fetchBlob(reference, big, { offset: big.size - 5 }))).toHaveLength(5)
  })

  it('is not read ahead of a slow reader, and not given up for him', async () => {
    const { client, reference, registry } = await setUp({}, { timeouts: { stallMs: 150 } })
    const big = makeBlob(Buffer.alloc(3 << 20, 'y'), '')
    await pushBlob(registry, 'library/thing', big)
    const retries: BlobRetry[] = []
    let size = 0
    let isFirst = true
    for await (const chunk of client.fetchBlob(reference, big, {
      onRetry: (notice) => retries.push(notice),
    })) {
      if (isFirst) await new Promise((resolve) => setTimeout(resolve, 500))
      isFirst = false
      size += chunk.length
    }
    expect([size, retries]).toEqual([big.size, []])
  })

  it('is asked for by its digest only, which must be one', async () => {
    const { client, reference, registry } = await setUp()
    const digest = 'sha256:../../../etc/passwd' as const
    expect(await failureOf(collect(client.fetchBlob(reference, { digest, size: 5 })))).toMatchObject({
      code: 'invalid_argument',
    })
    expect(registry.requests).toEqual([])
  })

  it('that is not there is told so', async () => {
    const { client, reference } = await setUp()
    const missing = makeBlob(Buffer.from('never pushed'), '')
    expect(await failureOf(collect(client.fetchBlob(reference, missing)))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(missing.digest),
    })
  })

  it('is no longer read after a cancel', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'stall', after: 100 })
    const controller = new AbortController()
    const failure = failureOf(collect(client.fetchBlob(reference, layer, { signal: controller.signal })))
    await expect.poll(() => registry.faults.left()).toEqual([])
    controller.abort()
    expect(await failure).toMatchObject({ code: 'cancelled' })
  })
})

describe('what is wrong with a connection is made good', () => {
  it('a drop: the rest is asked for at the very byte, and told', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'drop', after: 100 })
    const retries: BlobRetry[] = []
    const bytes = await collect(
      client.fetchBlob(reference, layer, { onRetry: (notice) => retries.push(notice) }),
    )
    expect(bytes).toEqual(layer.bytes)
    expect(retries).toMatchObject([{ attempt: 1, offset: 100 }])
    const stored = registry.requests.filter(({ server }) => server === 'storage')
    expect(stored.map(({ range }) => range)).toEqual([undefined, 'bytes=100-'])
  })

  it('a stall', async () => {
    const { client, reference, layer, registry } = await setUp({}, { timeouts: { stallMs: 100 } })
    registry.faults.add({ on: 'blob', kind: 'stall', after: 100 })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('a drip that would take for ever', async () => {
    const { client, reference, layer, registry } = await setUp({}, { timeouts: { stallMs: 100 } })
    registry.faults.add({ on: 'blob', kind: 'drip', bytes: 1, everyMs: 20 })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(registry.requests.filter(({ server }) => server === 'storage')).toHaveLength(2)
  })

  it.each([500, 502, 503, 504, 429, 408])('status %i, of the storage and of the registry', async (status) => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'status', status, retryAfter: '0' })
    registry.faults.add({ on: 'redirect', kind: 'status', status, retryAfter: '0' })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(registry.faults.left()).toEqual([])
  })

  it('a Retry-After is obeyed', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'status', status: 503, retryAfter: '1' })
    const retries: BlobRetry[] = []
    await collect(client.fetchBlob(reference, layer, { onRetry: (notice) => retries.push(notice) }))
    expect(retries.map(({ delayMs }) => delayMs)).toEqual([1000])
  })

  it('a signature that has expired: the registry is asked for a new one', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'redirect', kind: 'expired' })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(
      registry.requests.filter(({ server }) => server === 'storage').map(({ status }) => status),
    ).toEqual([403, 200])
  })

  it('an offset where Range is ignored: what is there already is skipped', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'ignore-range' })
    expect(await collect(client.fetchBlob(reference, layer, { offset: 100 }))).toEqual(
      layer.bytes.subarray(100),
    )
  })

  it('a drop where Range is ignored', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'drop', after: 300 })
    registry.faults.add({ on: 'blob', kind: 'ignore-range' })
    expect(await collect(client.fetchBlob(reference, layer, { offset: 50 }))).toEqual(
      layer.bytes.subarray(50),
    )
  })

  it('a length that promises more than comes', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'length', by: 0 })
    registry.faults.add({ on: 'blob', kind: 'length', by: -50 })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('no length', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'chunked' })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it.each([true, false])('Content-Encoding: gzip, and whether that is a lie: %s', async (isLie) => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'gzip', isLie })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('a drop in what comes gzipped, at an offset', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'drop', after: 300 })
    registry.faults.add({ on: 'blob', kind: 'gzip' })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('a relative redirect', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({
      on: 'redirect',
      kind: 'location',
      location: `/v2/library/thing/blobs/${layer.digest}`,
    })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })
})

describe('what cannot be made good is told', () => {
  it('more bytes than there are', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'extra', bytes: 1 })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`more than the ${layer.size} bytes`),
    })
  })

  it('a gzip bomb is stopped at the blob’s size', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'body', body: Buffer.alloc(50_000_000) })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({ code: 'corrupt' })
  })

  it.each([-1, 1, 50])('another range than was asked for, %i bytes off', async (by) => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'wrong-range', by })
    expect(await failureOf(collect(client.fetchBlob(reference, layer, { offset: 100 })))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('another part'),
    })
  })

  it('a blob that breaks off again and again', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'drop', after: 3, times: 99 })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      code: 'unavailable',
      details: { attempts: 4 },
    })
  })

  it('a storage that refuses always', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'redirect', kind: 'expired', times: 99 })
    const failure = await failureOf(collect(client.fetchBlob(reference, layer)))
    expect(failure).toMatchObject({ code: 'unavailable', details: { status: 403 } })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('canary')
  })
})
