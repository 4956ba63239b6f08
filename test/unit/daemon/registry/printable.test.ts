/** Texts of strangers never reach a terminal as they are. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { printable } from '../../../../daemon/registry/printable.ts'

it.each([
  ['plain text, ünïcode 漢字 🐋', 'plain text, ünïcode 漢字 🐋'],
  ['\u001b]0;owned\u0007', '\\u{1b}]0;owned\\u{7}'],
  ['a\nb\tc\r', 'a\\u{a}b\\u{9}c\\u{d}'],
  ['\u009b31m', '\\u{9b}31m'],
  ['a\u202eb', 'a\\u{202e}b'],
  ['a\u2028b', 'a\\u{2028}b'],
  ['a\ud800b', 'a\ufffdb'],
])('%j becomes %j', (text, expected) => {
  expect(printable(text, 100)).toBe(expected)
})

it('is cut', () => {
  expect(printable('x'.repeat(200), 10)).toBe('xxxxxxxxxx…')
})

it('never holds a control character, whatever it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text, 1000)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }),
  )
})
