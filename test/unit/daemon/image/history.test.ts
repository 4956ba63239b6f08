import { describe, expect, it } from 'vitest'
import { joinHistory, parseCreated } from '../../../../daemon/image/history.ts'
import { stackOf } from '../../../../daemon/image/stack.ts'
import type { ImageLayerRow } from '../../../../daemon/state/images.ts'
import type { Digest } from '../../../../shared/oci/digest.ts'

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`
const layer = (digit: string): ImageLayerRow => ({
  position: 0,
  chainId: digest(digit),
  diffId: digest(digit),
  digest: digest(digit),
  mediaType: '',
  blobBytes: 1,
  sizeBytes: Number(digit),
})
const summary = (...args: Parameters<typeof joinHistory>) =>
  joinHistory(...args).map(({ createdBy, layer: made, sizeBytes }) => [
    createdBy,
    made?.slice(7, 8) ?? null,
    sizeBytes,
  ])

describe('the history of an image', () => {
  it('passes steps without a layer by', () => {
    const history = [{ created_by: 'ADD' }, { created_by: 'ENV', empty_layer: true }, { created_by: 'RUN' }]
    expect(summary({ history }, [layer('1'), layer('2')])).toEqual([
      ['RUN', '2', 2],
      ['ENV', null, 0],
      ['ADD', '1', 1],
    ])
  })

  it('that tells too little shows the layers all the same', () => {
    expect(summary({ history: [{ created_by: 'ADD' }] }, [layer('1'), layer('2')])).toEqual([
      ['', '2', 2],
      ['ADD', '1', 1],
    ])
  })

  it('that tells too much shows steps without layers', () => {
    expect(summary({ history: [{ created_by: 'ADD' }, { created_by: 'RUN' }] }, [layer('1')])).toEqual([
      ['RUN', null, 0],
      ['ADD', '1', 1],
    ])
  })
})

it.each([
  ['2024-01-02T03:04:05.678901234Z', Date.UTC(2024, 0, 2, 3, 4, 5, 678)],
  ['2024-01-02T03:04:05+02:00', Date.UTC(2024, 0, 2, 1, 4, 5)],
  ['yesterday', null],
  [undefined, null],
])('an image created %j was created at %j', (text, expected) => {
  expect(parseCreated(text)).toBe(expected)
})

describe('a stack of layers', () => {
  const config = (count: number) => ({
    os: 'linux',
    architecture: 'amd64',
    config: {},
    history: [],
    rootfs: { diff_ids: Array.from({ length: count }, (_, index) => digest(String(index + 1))) },
  })
  const manifest = { layers: [{ mediaType: 'm', digest: digest('a'), size: 7 }] }

  it('joins what the manifest and the config say of a layer', () => {
    expect(stackOf(manifest, config(1), 'x')).toEqual([
      { digest: digest('a'), mediaType: 'm', blobBytes: 7, diffId: digest('1'), chainId: digest('1') },
    ])
  })

  it.each([0, 2])('is corrupt when the config has %i layers and the manifest one', (count) => {
    expect(() => stackOf(manifest, config(count), 'x')).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})
