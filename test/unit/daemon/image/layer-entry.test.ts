import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideEntry, EntryRefused, isXattrKept, showName } from '../../../../daemon/image/layer-entry.ts'
import type { EntryType, TarEntry } from '../../../../shared/tar/reader.ts'

function entry(name: string, more: Partial<TarEntry> = {}): TarEntry {
  return {
    name,
    linkName: '',
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    major: 0,
    minor: 0,
    xattrs: new Map(),
    offset: 0,
    ...more,
  }
}

const decide = (name: string, more: Partial<TarEntry> = {}) => decideEntry(entry(name, more))

describe('a name', () => {
  it.each([
    ['./a//b/./c', 'a/b/c'],
    ['/etc/passwd', 'etc/passwd'],
    ['a/../b', 'b'],
    ['a/b/../../c/', 'c'],
    ['...', '...'],
    ['..a/b..', '..a/b..'],
  ])('%s is %s inside the root', (name, path) => {
    expect(decide(name)).toEqual({ do: 'file', path })
  })

  it('never comes out with anything that leads anywhere, whatever it is', () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b', '.wh.', '.wh.x', '.wh..wh..opq', '...', '\xff')
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        const action = attempt(() => decide(parts.join('/'), { type: 'directory' }))
        const path = action === undefined || action.do === 'skip' ? 'x' : action.path
        expect(path).not.toMatch(/^\/|\/$|\/\//)
        expect(path.split('/').filter((name) => name === '.' || name === '..')).toEqual([])
      }),
    )
  })
})

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof EntryRefused) return undefined
    throw error
  }
}

describe('a whiteout', () => {
  it('hides a name or the content of a directory, whatever its own type', () => {
    for (const type of [
      'file',
      'directory',
      'symlink',
      'hardlink',
      'character-device',
    ] satisfies EntryType[]) {
      expect(decide('d/.wh.x', { type })).toEqual({ do: 'hide', path: 'd/x' })
      expect(decide('d/.wh..wh..opq', { type })).toEqual({ do: 'hide-content', path: 'd' })
    }
    expect(decide('.wh..wh..opq')).toEqual({ do: 'hide-content', path: '' })
  })

  it('is only what begins with its mark', () => {
    expect(decide('a.wh.b')).toEqual({ do: 'file', path: 'a.wh.b' })
    expect(decide('a.wh.b/.whx')).toEqual({ do: 'file', path: 'a.wh.b/.whx' })
  })
})

describe('a link', () => {
  it('that is symbolic keeps its target as it is written', () => {
    expect(decide('l', { type: 'symlink', linkName: '../../x/' })).toEqual({
      do: 'symlink',
      path: 'l',
      target: '../../x/',
    })
    expect(() => decide('l', { type: 'symlink' })).toThrow('a symbolic link to nothing')
  })

  it('that is hard counts from the root, where .. stops', () => {
    expect(decide('l', { type: 'hardlink', linkName: '/../../etc/./x' })).toEqual({
      do: 'hardlink',
      path: 'l',
      target: 'etc/x',
    })
  })
})

it('extended attributes are kept by name', () => {
  expect(['security.capability', 'user.a', 'user.overlay'].every(isXattrKept)).toBe(true)
  const dropped = [
    'user.overlay.opaque',
    'trusted.overlay.opaque',
    'trusted.a',
    'security.ima',
    'system.posix_acl_access',
    'user.a\0b',
    '',
  ]
  expect(dropped.some(isXattrKept)).toBe(false)
})

describe('a name in a message', () => {
  it('is readable when it is UTF-8, and escaped when it would move the cursor or the eye', () => {
    expect(showName(Buffer.from('é/a').toString('latin1'))).toBe('"é/a"')
    expect(showName('\x1b[2J\n\x7f\x9b\xff')).toBe('"\\u001b[2J\\n\\u007f\\u009bÿ"')
    expect(showName(Buffer.from('a\u202eb').toString('latin1'))).toBe('"a\\u202eb"')
    expect(showName('x'.repeat(5000))).toHaveLength(202)
  })
})
