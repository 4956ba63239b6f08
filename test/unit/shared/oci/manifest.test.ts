/** Indexes and manifests: what is understood, and what is refused with which words. */
import { describe, expect, it } from 'vitest'
import { mediaTypes } from '../../../../shared/oci/media-types.ts'
import { parseIndexOrManifest } from '../../../../shared/oci/manifest.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 }
const layer = { mediaType: mediaTypes.ociLayerGzip, digest, size: 3 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [
    { mediaType: mediaTypes.ociManifest, digest, size: 4, platform: { os: 'linux', architecture: 'amd64' } },
  ],
}

const parse = (value: unknown, declared?: string) => parseIndexOrManifest(value, declared, 'x:1')

describe('a manifest', () => {
  it('gives its config and layers', () => {
    expect(parse(manifest, mediaTypes.ociManifest)).toEqual({
      kind: 'manifest',
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [layer],
    })
  })

  it('of Docker is as good', () => {
    const docker = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { ...config, mediaType: mediaTypes.dockerConfig },
      layers: [{ ...layer, mediaType: mediaTypes.dockerLayerGzip }],
    }
    expect(parse(docker, mediaTypes.dockerManifest)).toMatchObject({ mediaType: mediaTypes.dockerManifest })
  })

  it('that does not say its type is what it came as', () => {
    const { mediaType: _, ...rest } = manifest
    expect(parse(rest, mediaTypes.ociManifest)).toMatchObject({ mediaType: mediaTypes.ociManifest })
    expect(parse(rest, 'application/json')).toMatchObject({ kind: 'manifest' })
    expect(parse(rest)).toMatchObject({ kind: 'manifest' })
  })

  it('leaves behind where else layers could be had, and bytes it carries itself', () => {
    const foreign = { ...layer, urls: ['http://169.254.169.254/'], data: 'eA==', unknown: 1 }
    expect(parse({ ...manifest, layers: [foreign] })).toMatchObject({ layers: [layer] })
    expect(Object.keys(parse({ ...manifest, layers: [foreign] }))).not.toContain('urls')
    expect(JSON.stringify(parse({ ...manifest, layers: [foreign] }))).not.toContain('169.254')
  })

  it('may have null where something is absent', () => {
    const nulls = { ...layer, annotations: null, platform: null, artifactType: null }
    expect(parse({ ...manifest, layers: [nulls], annotations: null })).toMatchObject({ layers: [layer] })
  })
})

describe('an index', () => {
  it('gives its manifests with their platforms', () => {
    expect(parse(index, mediaTypes.ociIndex)).toEqual({
      kind: 'index',
      mediaType: mediaTypes.ociIndex,
      manifests: index.manifests,
    })
  })

  it('may list manifests without a platform, or none at all', () => {
    expect(parse({ ...index, manifests: [{ ...config, platform: null }] })).toMatchObject({ kind: 'index' })
    expect(parse({ ...index, manifests: [] })).toMatchObject({ manifests: [] })
  })

  it('keeps annotations as what they are, whatever their names', () => {
    const annotations = JSON.parse('{"__proto__":"evil","constructor":"x","a":"b"}')
    const parsed = parse({ ...index, manifests: [{ ...index.manifests[0], annotations }] })
    const [first] = parsed.kind === 'index' ? parsed.manifests : []
    expect(Object.entries(first?.annotations ?? {})).toEqual([
      ['constructor', 'x'],
      ['a', 'b'],
    ])
    expect(first?.annotations?.['toString']).toBeUndefined()
  })
})

describe('refused with a sentence that says why', () => {
  const tooMany = (count: number, item: unknown): unknown[] => Array.from({ length: count }, () => item)

  it.each<[string, unknown, string | undefined, string, RegExp]>([
    ['schema 1', { schemaVersion: 1, name: 'x', fsLayers: [] }, undefined, 'not_supported', /schema 1/],
    ['schema 1 by its type', {}, mediaTypes.dockerManifestV1Signed, 'not_supported', /schema 1/],
    [
      'an artifact',
      { ...manifest, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } },
      undefined,
      'not_supported',
      /x:1 is no image but an artifact of type application\/vnd.cncf.helm.config.v1\+json/,
    ],
    [
      'an artifact with a type of its own',
      { ...manifest, artifactType: 'a/b', config: { ...config, mediaType: mediaTypes.ociEmpty } },
      undefined,
      'not_supported',
      /artifact of type a\/b/,
    ],
    [
      'another media type',
      { mediaType: 'application/vnd.x+json' },
      undefined,
      'not_supported',
      /vnd\.x\+json/,
    ],
    [
      'a control character',
      { mediaType: 'application/vnd.\u001b[2J' },
      undefined,
      'not_supported',
      /vnd\.\?\[2J$/,
    ],
    [
      'an odd layer',
      { ...manifest, layers: [{ ...layer, mediaType: 'text/plain' }] },
      undefined,
      'not_supported',
      /text\/plain/,
    ],
    ['index and manifest at once', { ...manifest, manifests: [] }, undefined, 'corrupt', /at once/],
    [
      'a type that is not what it came as',
      manifest,
      mediaTypes.ociIndex,
      'corrupt',
      /came as .*index.* says of itself .*manifest/,
    ],
    [
      'a manifest in an index’s clothes',
      { ...manifest, mediaType: mediaTypes.ociIndex },
      undefined,
      'corrupt',
      /is not what its media type/,
    ],
    [
      'an index in a manifest’s clothes',
      { ...index, mediaType: mediaTypes.ociManifest },
      undefined,
      'corrupt',
      /is not what/,
    ],
    [
      'a declared type that does not fit',
      { ...manifest, mediaType: undefined },
      mediaTypes.ociIndex,
      'corrupt',
      /is not what/,
    ],
    [
      'another schema version',
      { ...manifest, schemaVersion: 3 },
      undefined,
      'corrupt',
      /schemaVersion: must be 2/,
    ],
    [
      'a version in words',
      { ...manifest, schemaVersion: '2' },
      undefined,
      'corrupt',
      /schemaVersion: must be an integer/,
    ],
    ['no config', { schemaVersion: 2, layers: [] }, undefined, 'corrupt', /config: must be an object/],
    ['no layers', { schemaVersion: 2, config }, undefined, 'corrupt', /layers: must be a list/],
    ['layers that are none', { ...manifest, layers: {} }, undefined, 'corrupt', /layers: must be a list/],
    [
      '128 layers',
      { ...manifest, layers: tooMany(128, layer) },
      undefined,
      'corrupt',
      /layers: has 128 items/,
    ],
    [
      '4097 manifests',
      { ...index, manifests: tooMany(4097, layer) },
      undefined,
      'corrupt',
      /manifests: has 4097 items/,
    ],
    ['a null layer', { ...manifest, layers: [null] }, undefined, 'corrupt', /layers\.0: must be an object/],
    [
      'a list as a layer',
      { ...manifest, layers: [[]] },
      undefined,
      'corrupt',
      /layers\.0: must be an object/,
    ],
    [
      'a negative size',
      { ...manifest, layers: [{ ...layer, size: -1 }] },
      undefined,
      'corrupt',
      /size: must not be negative/,
    ],
    [
      'a size beyond numbers',
      { ...manifest, layers: [{ ...layer, size: 2 ** 53 }] },
      undefined,
      'corrupt',
      /size: must be an integer/,
    ],
    [
      'half a byte',
      { ...manifest, layers: [{ ...layer, size: 0.5 }] },
      undefined,
      'corrupt',
      /size: must be an integer/,
    ],
    [
      'a size in words',
      { ...manifest, layers: [{ ...layer, size: '3' }] },
      undefined,
      'corrupt',
      /size: must be an integer/,
    ],
    [
      'no digest',
      { ...manifest, layers: [{ ...layer, digest: undefined }] },
      undefined,
      'corrupt',
      /digest: must be a string/,
    ],
    [
      'a digest that is a path',
      { ...manifest, layers: [{ ...layer, digest: 'sha256:../../x' }] },
      undefined,
      'corrupt',
      /sha256 digest/,
    ],
    [
      'an upper-case digest',
      { ...manifest, layers: [{ ...layer, digest: digest.toUpperCase() }] },
      undefined,
      'corrupt',
      /sha256 digest/,
    ],
    [
      'a digest with more behind it',
      { ...manifest, layers: [{ ...layer, digest: `${digest}\n` }] },
      undefined,
      'corrupt',
      /sha256 digest/,
    ],
    [
      'another algorithm',
      { ...manifest, config: { ...config, digest: `md5:${'a'.repeat(32)}` } },
      undefined,
      'corrupt',
      /sha256 digest/,
    ],
    [
      'a long media type',
      { ...manifest, config: { ...config, mediaType: 'x'.repeat(256) } },
      undefined,
      'corrupt',
      /mediaType: must not be longer/,
    ],
    [
      'annotations that are numbers',
      { ...index, manifests: [{ ...layer, annotations: { a: 1 } }] },
      undefined,
      'corrupt',
      /annotations\.a: must be a string/,
    ],
    [
      'a key to write on the terminal',
      { ...index, manifests: [{ ...layer, annotations: { '\u001b]0;x': 1 } }] },
      undefined,
      'corrupt',
      /annotations\.\?\]0;x: must/,
    ],
    [
      'half a platform',
      { ...index, manifests: [{ ...layer, platform: { os: 'linux' } }] },
      undefined,
      'corrupt',
      /platform\.architecture: must be a string/,
    ],
    ['a number', 7, undefined, 'corrupt', /must be an object/],
    ['nothing', null, undefined, 'corrupt', /must be an object/],
    ['a list', [], undefined, 'corrupt', /must be an object/],
    ['text', 'manifest', undefined, 'corrupt', /must be an object/],
  ])('%s', (_name, value, declared, code, message) => {
    expect(() => parse(value, declared)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })
})
