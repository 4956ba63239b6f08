/** Image configs: Docker's and the OCI's, with nulls as Go writes them, and what hostile ones put in. */
import { describe, expect, it } from 'vitest'
import { parseImageConfig } from '../../../../shared/oci/image-config.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const bare = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } }
const parse = (value: unknown) => parseImageConfig(value, 'x:1')

describe('a config', () => {
  it('gives all that is known of it', () => {
    const full = {
      ...bare,
      variant: 'v2',
      created: '2024-01-02T03:04:05.123456789Z',
      author: 'somebody',
      config: {
        User: '1000:1000',
        ExposedPorts: { '80/tcp': {} },
        Env: ['A=b'],
        Entrypoint: ['/init'],
        Cmd: ['sh'],
        Volumes: { '/data': {} },
        WorkingDir: '/srv',
        Labels: { a: 'b' },
        StopSignal: 'SIGINT',
        Healthcheck: {
          Test: ['CMD', 'true'],
          Interval: 1e9,
          Timeout: 2e9,
          StartPeriod: 0,
          StartInterval: 1,
          Retries: 3,
        },
        Shell: ['/bin/bash', '-c'],
        OnBuild: ['RUN x'],
        ArgsEscaped: true,
      },
      history: [
        { created: '2024-01-01T00:00:00Z', created_by: 'ADD', author: 'a', comment: 'c', empty_layer: true },
      ],
    }
    const { type: _, ...rootfs } = full.rootfs
    expect(parse(full)).toEqual({ ...full, rootfs })
  })

  it('with nulls is one where these are absent', () => {
    const execution = {
      User: null,
      ExposedPorts: null,
      Env: null,
      Entrypoint: null,
      Cmd: null,
      Volumes: null,
      WorkingDir: null,
      Labels: null,
      StopSignal: null,
      Healthcheck: null,
      Shell: null,
      OnBuild: null,
      ArgsEscaped: null,
    }
    const nulls = { ...bare, config: execution, history: null, created: null, author: null, variant: null }
    expect(parse(nulls)).toEqual(parse(bare))
    expect(parse({ ...bare, config: null })).toEqual(parse(bare))
    expect(parse({ ...bare, rootfs: { type: null, diff_ids: null } })).toMatchObject({
      rootfs: { diff_ids: [] },
    })
    expect(parse({ ...bare, config: { Volumes: { '/a': null } } }).config).toEqual({ Volumes: { '/a': {} } })
    expect(parse({ ...bare, config: { Healthcheck: { Test: null } } }).config).toEqual({ Healthcheck: {} })
  })

  it('leaves unknown keys behind', () => {
    const extended = { ...bare, container: 'x', config: { Hostname: 'h', Cmd: ['a'] }, 'os.features': [] }
    expect(parse(extended)).toEqual({ ...parse(bare), config: { Cmd: ['a'] } })
  })

  it('cannot set labels that steer the engine', () => {
    const Labels = { 'kago.restart': 'always', 'kago.': '', kago: 'fine', 'kagox.a': 'fine' }
    expect(parse({ ...bare, config: { Labels } }).config.Labels).toEqual({ kago: 'fine', 'kagox.a': 'fine' })
  })

  it('cannot reach the prototype of anything', () => {
    const Labels = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}')
    const { config } = parse({ ...bare, config: { Labels, Volumes: JSON.parse('{"__proto__":{"x":1}}') } })
    expect(Object.keys(config.Labels ?? {})).toEqual(['constructor', 'toString'])
    expect(Object.keys(config.Volumes ?? {})).toEqual([])
    expect(config.Labels?.['hasOwnProperty']).toBeUndefined()
    expect(
      Object.getPrototypeOf(parse(JSON.parse(`{"__proto__":{"x":1},${JSON.stringify(bare).slice(1)}`))),
    ).toBe(Object.prototype)
  })

  it('with a date that is none has none', () => {
    expect(parse({ ...bare, created: 'yesterday', history: [{ created: '\u001b[31m' }] })).toEqual({
      ...parse(bare),
      history: [{}],
    })
  })
})

it.each<[string, unknown, RegExp]>([
  ['no architecture', { ...bare, architecture: undefined }, /architecture: must be a string/],
  ['no os', { ...bare, os: 1 }, /os: must be a string/],
  ['no rootfs', { ...bare, rootfs: undefined }, /rootfs: must be an object/],
  ['another rootfs', { ...bare, rootfs: { type: 'zfs', diff_ids: [] } }, /rootfs\.type: must be layers/],
  [
    'a diffID that is a path',
    { ...bare, rootfs: { diff_ids: ['sha256:../x'] } },
    /diff_ids\.0: must be a sha256 digest/,
  ],
  ['128 diffIDs', { ...bare, rootfs: { diff_ids: Array(128).fill(digest) } }, /diff_ids: has 128 items/],
  ['Env as text', { ...bare, config: { Env: 'A=b' } }, /config\.Env: must be a list/],
  ['a number in Cmd', { ...bare, config: { Cmd: ['a', 1] } }, /config\.Cmd\.1: must be a string/],
  ['Cmd as an object', { ...bare, config: { Cmd: { 0: 'a' } } }, /config\.Cmd: must be a list/],
  ['Labels as a list', { ...bare, config: { Labels: [] } }, /config\.Labels: must be an object/],
  [
    'a label that is null',
    { ...bare, config: { Labels: { a: null } } },
    /config\.Labels\.a: must be a string/,
  ],
  ['Volumes as text', { ...bare, config: { Volumes: '/a' } }, /config\.Volumes: must be an object/],
  [
    'a fraction of a nanosecond',
    { ...bare, config: { Healthcheck: { Interval: 0.5 } } },
    /Interval: must be an integer/,
  ],
  ['a user that is a number', { ...bare, config: { User: 0 } }, /config\.User: must be a string/],
  ['history as an object', { ...bare, history: {} }, /history: must be a list/],
  [
    '10001 steps',
    { ...bare, history: Array.from({ length: 10_001 }, () => ({})) },
    /history: has 10001 items/,
  ],
  ['a step that is null', { ...bare, history: [null] }, /history\.0: must be an object/],
  ['a list', [], /the document: must be an object/],
  ['nothing', null, /the document: must be an object/],
  ['text', 'x', /the document: must be an object/],
])('%s is corrupt', (_name, value, message) => {
  expect(() => parse(value)).toThrow(
    expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) }),
  )
})
