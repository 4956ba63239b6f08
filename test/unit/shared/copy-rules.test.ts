import { describe, expect, test } from 'vitest'
import { lastName, placeCopy } from '../../../shared/copy-rules.ts'

const file = { name: 'f', isDirectory: false }
const directory = { name: 'd', isDirectory: true }

describe('Docker’s table of cp', () => {
  test.each([
    [file, 'x', undefined, 'as'],
    [file, 'x', 'file', 'as'],
    [file, 'x', 'directory', 'into'],
    [file, 'x/', 'directory', 'into'],
    [directory, 'x', undefined, 'as'],
    [directory, 'x/', undefined, 'as'],
    [directory, 'x', 'directory', 'into'],
    [{ name: '.', isDirectory: true }, 'x', 'directory', 'into'],
    [{ name: '.', isDirectory: true }, 'x', undefined, 'as'],
  ] as const)('%j to %s, which is %s: %s', (source, path, kind, how) => {
    expect(placeCopy(source, { path, kind })).toBe(how)
  })

  test.each([
    [file, 'x/', undefined, 'there is no directory x/'],
    [file, 'x/.', undefined, 'there is no directory x/.'],
    [file, 'x/', 'file', 'it is no directory: x/'],
    [directory, 'x', 'file', 'cannot copy a directory onto a file: x'],
  ] as const)('%j to %s, which is %s: %s', (source, path, kind, message) => {
    expect(() => placeCopy(source, { path, kind })).toThrow(message)
  })
})

test.each([
  ['/a/b', 'b'],
  ['/a/b/', 'b'],
  ['/a/b/.', '.'],
  ['/', '.'],
  ['.', '.'],
  ['a', 'a'],
])('the last name of %s is %s', (path, name) => {
  expect(lastName(path)).toBe(name)
})
