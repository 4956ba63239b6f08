/** A fault at every byte: nothing is lost, doubled or believed (U21, U26). */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../harness/registry/image.ts'
import { collect, failureOf, makeClient, setUp } from '../../integration/registry/setup.ts'

describe('a blob whose connection drops', () => {
  it('at any byte is whole in the end', async () => {
    const { client, reference, layer, registry } = await setUp()
    const wrong: number[] = []
    for (let at = 0; at <= layer.size; at += 1) {
      registry.faults.clear()
      registry.faults.add({ on: 'blob', kind: 'drop', after: at })
      const bytes = await collect(client.fetchBlob(reference, layer))
      if (digestOf(bytes) !== layer.digest) wrong.push(at)
    }
    expect(wrong).toEqual([])
  })

  it('at any byte, Range being ignored, is whole in the end', async () => {
    const { client, reference, layer, registry } = await setUp({ redirectBlobs: false })
    const wrong: number[] = []
    for (let at = 1; at < layer.size; at += 7) {
      registry.faults.clear()
      registry.faults.add({ on: 'blob', kind: 'drop', after: at })
      registry.faults.add({ on: 'blob', kind: 'ignore-range' })
      const bytes = await collect(client.fetchBlob(reference, layer))
      if (digestOf(bytes) !== layer.digest) wrong.push(at)
    }
    expect(wrong).toEqual([])
  })

  it('again and again, a little later each time, is whole in the end', async () => {
    const { client, reference, layer, registry } = await setUp(
      {},
      { retry: { attempts: 700, baseMs: 0, maximumMs: 0 } },
    )
    // Each connection brings one byte.
    registry.faults.add({ on: 'blob', kind: 'drop', after: 1, times: layer.size - 1 })
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })
})

describe('a manifest with a changed byte', () => {
  it('is never believed, wherever the byte is', async () => {
    const { client, image, reference, registry } = await setUp()
    const believed: number[] = []
    for (let at = 0; at < image.manifest.size; at += 1) {
      registry.faults.clear()
      registry.faults.add({ on: 'manifest', kind: 'flip', at, times: 9 })
      const failure = await failureOf(client.fetchManifest(reference, image.manifest)).catch(() => undefined)
      if (failure === undefined) believed.push(at)
    }
    expect(believed).toEqual([])
  })

  it('that breaks off is never believed, wherever', async () => {
    const { client, image, reference, registry } = await setUp({}, { retry: { attempts: 1 } })
    const believed: number[] = []
    for (let at = 0; at < image.manifest.size; at += 1) {
      registry.faults.clear()
      registry.faults.add({ on: 'manifest', kind: 'drop', after: at })
      const failure = await failureOf(client.resolve(reference)).catch(() => undefined)
      if (failure === undefined) believed.push(at)
    }
    expect(believed).toEqual([])
  })
})

describe('a blob at any offset', () => {
  it('is refused when the range is another', async () => {
    const { client, reference, layer, registry } = await setUp({ redirectBlobs: false })
    const believed: number[] = []
    for (let offset = 1; offset < layer.size; offset += 13) {
      registry.faults.clear()
      registry.faults.add({ on: 'blob', kind: 'wrong-range', by: 1 })
      const failure = await failureOf(collect(client.fetchBlob(reference, layer, { offset }))).catch(
        () => undefined,
      )
      if (failure === undefined) believed.push(offset)
    }
    expect(believed).toEqual([])
  })
})

describe('an upload whose connection drops', () => {
  it('at any byte is whole in the end', async () => {
    const { client: reader, reference, registry } = await setUp()
    const client = makeClient({ uploadChunkBytes: 10 })
    const { credentials } = registry
    const wrong: string[] = []
    for (let at = 0; at < 25; at += 1) {
      const bytes = randomBytes(25)
      const blob = { digest: digestOf(bytes), size: bytes.length }
      registry.faults.clear()
      // The pieces before it go through.
      for (let piece = 10; piece <= at; piece += 10)
        registry.faults.add({ on: 'upload', kind: 'chunked', method: 'PATCH' })
      registry.faults.add({ on: 'upload', kind: 'cut', after: at % 10, method: 'PATCH' })
      async function* source(start: number, end: number) {
        await Promise.resolve()
        yield bytes.subarray(start, end)
      }
      await client.pushBlob(reference, blob, source, { credentials })
      if (registry.faults.left().length > 0) wrong.push(`${at}: not cut`)
      const back = await collect(reader.fetchBlob(reference, blob, { credentials }))
      if (!back.equals(bytes)) wrong.push(`${at}`)
    }
    expect(wrong).toEqual([])
  })
})
