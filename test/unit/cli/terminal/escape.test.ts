import { expect, test } from 'vitest'
import { escapeControl, escapeJson, escapeLine } from '../../../../cli/terminal/escape.ts'

test('control characters become visible; newlines and tabs stay in texts', () => {
  expect(escapeControl('a\x1b[31mb\x07\r\n\tc\x9b\u202e')).toBe('a\\x1b[31mb\\x07\\r\n\tc\\x9b\\u202e')
})

test('a cell of a table has no newline and no tab', () => {
  expect(escapeLine('a\nb\tc\0')).toBe('a\\nb\\tc\\x00')
})

test('escaped JSON is still the same JSON', () => {
  const value = { x: '\u009b\u202e\u007f é 😀' }
  expect(escapeJson(JSON.stringify(value))).not.toContain('\u009b')
  expect(JSON.parse(escapeJson(JSON.stringify(value)))).toEqual(value)
})
