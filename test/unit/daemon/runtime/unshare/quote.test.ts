/** Quoting held against real shells. */
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plainPath, quote } from '../../../../../daemon/runtime/unshare/quote.ts'
import { enterScript } from '../../../../../daemon/runtime/unshare/enter-script.ts'

const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "'",
        '"',
        '\\',
        '$',
        '`',
        '\n',
        ' ',
        ';',
        '&',
        '|',
        '*',
        '~',
        '#',
        '!',
        '(',
        '\r',
        '\t',
        '\x1b',
        '-',
        '=',
      ),
      fc.string({ unit: 'grapheme' }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''))

describe('a quoted word', () => {
  test.each([['/bin/sh'], ['/usr/bin/busybox', 'sh']])('is the same word again in %s', (...shell) => {
    const [program = '', ...args] = shell
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 20 }), (words) => {
        const script = `printf '%s\\0' ${words.map(quote).join(' ')}`
        const out = execFileSync(program, [...args, '-c', script]).toString()
        expect(out).toBe(words.map((word) => `${word}\0`).join(''))
      }),
      { numRuns: 40 },
    )
  })

  test('cannot hold a NUL byte', () => {
    expect(() => quote('a\0b')).toThrow(/NUL/)
  })
})

test('a directory with odd characters is refused for the runtime’s own files', () => {
  expect(plainPath('/run/kago/containers/0af')).toBe('/run/kago/containers/0af')
  for (const path of ['/a b', '/a$b', "/a'", '/a\n', 'a', '/a"'])
    expect(() => plainPath(path)).toThrow(/unusual characters/)
})

test('whatever a command and its variables hold, the last script is one that a shell can parse', () => {
  fc.assert(
    fc.property(fc.array(nasty, { minLength: 1, maxLength: 5 }), nasty, nasty, (args, value, cwd) => {
      const script = enterScript({
        terminal: false,
        user: { uid: 0, gid: 0 },
        args,
        env: [`V=${value}`],
        cwd: `/${cwd}`,
        noNewPrivileges: false,
      })
      expect(execFileSync('/usr/bin/busybox', ['sh', '-n'], { input: script }).toString()).toBe('')
    }),
    { numRuns: 40 },
  )
})
