import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesGlob } from '../../../../daemon/image/glob.ts'

describe('a pattern over image names', () => {
  it.each([
    ['alpine:3', 'alpine:3', true],
    ['alpine:*', 'alpine:3', true],
    ['alpine', 'alpine:3', false],
    ['*', 'alpine:3', true],
    ['*', 'localhost/busybox', false],
    ['*/*', 'localhost/busybox', true],
    ['*a/b', 'xaa/b', true],
    ['*a*b', 'aa/b', false],
    ['*:?', 'alpine:3', true],
    ['?', '/', false],
    ['*:[0-9]', 'alpine:3', true],
    ['*:[^0-9]', 'alpine:3', false],
    ['*:[^0-9]', 'alpine:x', true],
    ['a[', 'a[', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['', '', true],
    ['**', 'ab', true],
    ['*b', 'aab', true],
    ['*bb', 'abbb', true],
  ])('%j on %j is %j', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected)
  })

  it('agrees with the regular expression it stands for', () => {
    const letters = fc
      .array(fc.constantFrom('a', 'b', '/', '*', '?'), { maxLength: 8 })
      .map((all) => all.join(''))
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const plain = text.replaceAll(/[*?]/g, 'c')
        const regex = new RegExp(`^${pattern.replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`)
        expect(matchesGlob(pattern, plain)).toBe(regex.test(plain))
      }),
    )
  })

  it('takes no longer for many stars on a long name', () => {
    expect(matchesGlob(`${'*a'.repeat(2000)}b`, 'a'.repeat(20_000))).toBe(false)
  })
})
