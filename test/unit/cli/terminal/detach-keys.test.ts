import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DetachKeys, parseDetachKeys } from '../../../../cli/terminal/detach-keys.ts'

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'))

test('keys are characters and ctrl- with one', () => {
  expect([...parseDetachKeys('ctrl-p,ctrl-q')]).toEqual([16, 17])
  expect([...parseDetachKeys('a,CTRL-[,ctrl-_,~')]).toEqual([97, 27, 31, 126])
  expect(parseDetachKeys('')).toHaveLength(0)
  for (const bad of ['ctrl-', 'ctrl-1', 'ab', 'a,', 'é', 'ctrl-pp']) {
    expect(() => parseDetachKeys(bad)).toThrow('not a key to detach with')
  }
})

function type(keys: string, chunks: string[]): { sent: string; isDetached: boolean } {
  const watch = new DetachKeys(bytes(keys))
  let sent = ''
  for (const chunk of chunks) {
    const { pass, isDetached } = watch.take(bytes(chunk))
    sent += Buffer.from(pass).toString('latin1')
    if (isDetached) return { sent, isDetached }
  }
  return { sent: sent + Buffer.from(watch.rest()).toString('latin1'), isDetached: false }
}

test('the sequence detaches, also when it comes in pieces, and is not sent', () => {
  expect(type('\x10\x11', ['ls\x10\x11more'])).toEqual({ sent: 'ls', isDetached: true })
  expect(type('\x10\x11', ['ls\x10', '\x11'])).toEqual({ sent: 'ls', isDetached: true })
})

test('what only began like it is sent after all', () => {
  expect(type('\x10\x11', ['\x10', 'x'])).toEqual({ sent: '\x10x', isDetached: false })
  expect(type('\x10\x11', ['\x10'])).toEqual({ sent: '\x10', isDetached: false })
  expect(type('aab', ['aaab'])).toEqual({ sent: 'a', isDetached: true })
})

test('cut anywhere, everything before the sequence is sent and nothing is lost', () => {
  const letter = fc.constantFrom('a', 'b')
  const keys = fc.string({ unit: letter, minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(
      keys,
      fc.array(fc.string({ unit: letter, maxLength: 5 }), { maxLength: 8 }),
      (sequence, chunks) => {
        const all = chunks.join('')
        const at = all.indexOf(sequence)
        const expected =
          at < 0 ? { sent: all, isDetached: false } : { sent: all.slice(0, at), isDetached: true }
        expect(type(sequence, chunks)).toEqual(expected)
      },
    ),
    { numRuns: 1000 },
  )
})
