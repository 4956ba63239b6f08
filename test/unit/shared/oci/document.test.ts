/** Documents of strangers: size, depth and syntax, before anything in them is looked at. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { documentLimit, parseDocument } from '../../../../shared/oci/document.ts'

const parse = (text: string) => parseDocument(new TextEncoder().encode(text), 'it')

it('is what JSON says, also with brackets and quotes in its texts', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
      expect(parse(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
  expect(parse(JSON.stringify(`"\\${'['.repeat(500)}`))).toBe(`"\\${'['.repeat(500)}`)
})

it('is refused when it is larger than registries take', () => {
  expect(() => parseDocument(new Uint8Array(documentLimit + 1), 'it')).toThrow('it is larger than 4 MiB')
})

it.each([100, 1_000_000])('may not be nested deeper than 100: %i', (depth) => {
  expect(() => parse(`${'['.repeat(depth + 1)}${']'.repeat(depth + 1)}`)).toThrow(
    'it is nested deeper than 100',
  )
  expect(() => parse('{"a":'.repeat(depth + 1))).toThrow(/nested deeper|larger/)
})

it('may be nested 100 deep', () => {
  expect(parse(`${'['.repeat(100)}${']'.repeat(100)}`)).toBeInstanceOf(Array)
})

it.each(['', '{', '{"a":1}x', "{'a':1}", 'undefined', '\u0000', ']'])('%j is not JSON', (text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'corrupt', message: 'it is not JSON' }))
})

it('is refused when it is not UTF-8', () => {
  expect(() => parseDocument(Uint8Array.of(0x22, 0xff, 0x22), 'it')).toThrow('it is not JSON')
})
