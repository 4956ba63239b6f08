/** WWW-Authenticate: what real registries send, and what nobody should. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseChallenges } from '../../../../daemon/registry/challenge.ts'

function plain(...headers: string[]): unknown {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
}

it.each<[string, unknown]>([
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
    [
      [
        'bearer',
        {
          realm: ['https://auth.docker.io/token'],
          service: ['registry.docker.io'],
          scope: ['repository:library/alpine:pull'],
        },
      ],
    ],
  ],
  ['Basic realm="a, b=\\"c\\" \\\\"', [['basic', { realm: ['a, b="c" \\'] }]]],
  ['BEARER Realm=x , SCOPE = "a" ,scope="b"', [['bearer', { realm: ['x'], scope: ['a', 'b'] }]]],
  [
    'Basic realm="a", Bearer realm="b",service="c"',
    [
      ['basic', { realm: ['a'] }],
      ['bearer', { realm: ['b'], service: ['c'] }],
    ],
  ],
  [
    'Negotiate, NTLM abc==, Basic realm=x',
    [
      ['negotiate', {}],
      ['ntlm', {}],
      ['basic', { realm: ['x'] }],
    ],
  ],
  ['Bearer realm="", service=""', [['bearer', { realm: [''], service: [''] }]]],
  [',, Basic ,,', [['basic', {}]]],
  ['', []],
  ['   ', []],
  ['"', []],
  ['Bearer realm="never closed', [['bearer', {}]]],
  ['Bearer realm=', [['bearer', {}]]],
  [`Bearer realm="${'x'.repeat(20_000)}"`, []],
])('%s is understood', (header, expected) => {
  expect(plain(header)).toEqual(expected)
})

it('several headers are one list', () => {
  expect(plain('Basic realm="a"', 'Bearer realm="b"')).toEqual([
    ['basic', { realm: ['a'] }],
    ['bearer', { realm: ['b'] }],
  ])
})

it('any text has an end', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ ,="\\a-cB]{0,60}$/), (text) => {
      expect(parseChallenges([text]).length).toBeLessThanOrEqual(text.length)
    }),
  )
})

it('what was written is what is read', () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/)
  fc.assert(
    fc.property(name, fc.dictionary(name, fc.string(), { minKeys: 1, maxKeys: 4 }), (scheme, parameters) => {
      const written = Object.entries(parameters).map(
        ([key, value]) => `${key}="${value.replace(/[\\"]/g, (character) => `\\${character}`)}"`,
      )
      expect(plain(`${scheme} ${written.join(', ')}`)).toEqual([
        [scheme, Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key, [value]]))],
      ])
    }),
  )
})
