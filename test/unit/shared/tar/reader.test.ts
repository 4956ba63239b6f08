import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { type TarEntry, TarReader } from '../../../../shared/tar/reader.ts'
import {
  base256,
  directory,
  file,
  hardlink,
  header,
  paxHeader,
  symlink,
  tar,
  tarPart,
} from '../../../harness/tar-builder.ts'

interface Seen extends TarEntry {
  data: Buffer
}

/** Everything an archive says, read in chunks of the given sizes, over and over. */
function readAll(archive: Buffer, chunkSizes: readonly number[] = [archive.length]): Seen[] {
  const seen: Seen[] = []
  let open = false
  const reader = new TarReader({
    entry(entry) {
      expect(open).toBe(false)
      open = true
      seen.push({ ...entry, data: Buffer.alloc(0) })
    },
    data(chunk) {
      const last = seen.at(-1)
      if (last) last.data = Buffer.concat([last.data, chunk])
    },
    end() {
      expect(open).toBe(true)
      open = false
    },
  })
  for (let at = 0, index = 0; at < archive.length; index++) {
    const size = chunkSizes[index % chunkSizes.length] || 1
    reader.push(archive.subarray(at, at + size))
    at += size
  }
  reader.finish()
  return seen
}

/** The name of the error that an archive is refused with, if it is. */
function failureOf(archive: Buffer): string | undefined {
  try {
    readAll(archive)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.name : String(error)
  }
}

describe('an entry', () => {
  it('has all its fields', () => {
    const archive = tar(
      file('a/b', 'data', { mode: 0o4755, uid: 1, gid: 2, mtime: 99 }),
      symlink('l', 'to'),
      hardlink('h', 'a/b'),
    )
    const [a, l, h] = readAll(archive)
    expect(a).toMatchObject({ name: 'a/b', type: 'file', mode: 0o4755, uid: 1, gid: 2, size: 4, offset: 0 })
    expect(a?.mtime).toEqual({ seconds: 99, nanoseconds: 0 })
    expect(a?.data.toString()).toBe('data')
    expect(l).toMatchObject({ type: 'symlink', linkName: 'to', offset: 1024 })
    expect(h).toMatchObject({ type: 'hardlink', linkName: 'a/b', size: 0 })
  })

  it('is a directory when a file of v7 ends in a slash', () => {
    const patch = (block: Buffer) => block.fill(0, 257, 512)
    expect(readAll(tar(file('d/', '', { type: '\0', patch })))[0]?.type).toBe('directory')
  })

  it('takes numbers beyond octal from base-256, also negative times', () => {
    const patch = (block: Buffer) => {
      base256(block, 108, 8, 3_000_000_000n)
      base256(block, 136, 12, -5n)
    }
    expect(readAll(tar(file('f', '', { patch })))[0]).toMatchObject({
      uid: 3_000_000_000,
      mtime: { seconds: -5 },
    })
  })

  it('takes its name from prefix, GNU long name or PAX, the last being strongest', () => {
    const prefixed = file('name', '', { patch: (block) => block.write('pre/fix', 345) })
    const long = 'x/'.repeat(200)
    const gnu = Buffer.concat([
      tarPart({ name: '././@LongLink', type: 'L', data: `${long}\0` }),
      tar(file('short')),
    ])
    const both = Buffer.concat([
      tarPart({ name: '@', type: 'K', data: 'longlink\0' }),
      paxHeader({ path: 'pax' }),
      tar(symlink('s', 'x')),
    ])
    expect(readAll(tar(prefixed))[0]?.name).toBe('pre/fix/name')
    expect(readAll(gnu)[0]?.name).toBe(long)
    expect(readAll(both)[0]).toMatchObject({ name: 'pax', linkName: 'longlink' })
  })

  it('has no prefix in GNU form, where times are kept there', () => {
    const patch = (block: Buffer) => {
      block.write('ustar  \0', 257, 'latin1')
      block.write('14000000000', 345)
    }
    expect(readAll(tar(file('f', '', { patch })))[0]?.name).toBe('f')
  })

  it('takes size, owner, times and bytes of attributes from PAX, for itself alone', () => {
    const value = Buffer.from([1, 0, 0x80, 255, 10])
    const pax = {
      size: '3',
      uid: '4000000000',
      gid: '7',
      mtime: '-0.25',
      'SCHILY.xattr.user.x': value,
      path: '',
    }
    const [first, second] = readAll(tar(file('a', 'abc', { size: 0, pax, uid: 1 }), file('b')))
    expect(first).toMatchObject({ name: 'a', size: 3, uid: 4_000_000_000, gid: 7 })
    expect(first?.mtime).toEqual({ seconds: -1, nanoseconds: 750_000_000 })
    expect(first?.xattrs.get('user.x')).toEqual(value)
    expect(second?.xattrs.size).toBe(0)
    expect(second?.uid).toBe(0)
  })
})

describe('an archive', () => {
  it('says the same however it is cut into chunks', () => {
    const archive = tar(
      file('empty'),
      file('a', 'x'.repeat(700)),
      file('n'.repeat(150), 'y'.repeat(512)),
      directory('d'),
      symlink('l\xff', 'z'.repeat(120)),
    )
    const whole = readAll(archive)
    expect(whole).toHaveLength(5)
    const sizes = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(sizes, (chunks) => {
        expect(readAll(archive, chunks)).toEqual(whole)
      }),
      { numRuns: 60 },
    )
  })

  it('may stop without its empty blocks, and have anything after them', () => {
    expect(readAll(tarPart(file('f', 'x')))).toHaveLength(1)
    expect(readAll(Buffer.concat([tar(file('f')), tar(file('not read'))]))).toHaveLength(1)
    expect(readAll(Buffer.alloc(0))).toEqual([])
  })

  it('never hangs, and fails only with a TarError, whatever its bytes', () => {
    const base = Buffer.concat([
      paxHeader({ path: 'x', size: '5' }),
      tar(file('f', 'hello'), symlink('s', 't')),
    ])
    const change = fc.tuple(fc.nat(base.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        const bytes = Buffer.from(base)
        for (const [at, value] of changes) bytes[at] = value
        expect(failureOf(bytes)).toBeOneOf([undefined, 'TarError'])
      }),
      { numRuns: 300 },
    )
  })

  it('of tar-stream is read as it was written', async () => {
    const path = fc.array(fc.stringMatching(/^[a-zé_]{1,60}$/), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 0o7777 }),
        async (parts, data, mode) => {
          const name = parts.join('/')
          const packed = pack()
          packed.entry({ name, mode, uid: 5 }, Buffer.from(data))
          packed.finalize()
          const chunks: Buffer[] = []
          for await (const chunk of packed) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
          const [entry] = readAll(Buffer.concat(chunks))
          expect(Buffer.from(entry?.name ?? '', 'latin1').toString()).toBe(name)
          expect(entry).toMatchObject({ mode, uid: 5, data: Buffer.from(data) })
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each(['v7', 'ustar', 'gnu', 'posix'])('of GNU tar in format %s is read as it was written', (format) => {
    const home = fs.mkdtempSync(join(tmpdir(), 'kago-tar-'))
    try {
      // v7 has room for 100 bytes of name and no way to write more.
      const long = format === 'v7' ? 'd' : 'd'.repeat(90)
      fs.mkdirSync(join(home, long))
      fs.writeFileSync(join(home, long, 'f'.repeat(80)), 'content')
      fs.writeFileSync(Buffer.from(`${home}/\xe9`, 'latin1'), 'x')
      fs.symlinkSync('target', join(home, 'link'))
      const { stdout, status } = spawnSync('tar', [`--format=${format}`, '-C', home, '-c', '.'])
      expect(status).toBe(0)
      const entries = readAll(stdout)
      const names = ['./', './\xe9', `./${long}/`, `./${long}/${'f'.repeat(80)}`, './link']
      expect(entries.map((entry) => entry.name).sort()).toEqual(names.sort())
      expect(entries.find((entry) => entry.type === 'symlink')?.linkName).toBe('target')
    } finally {
      fs.rmSync(home, { recursive: true })
    }
  })
})

it('a header of nothing but its checksum is no entry', () => {
  expect(() => readAll(Buffer.concat([header({ name: '', type: 'Q' }, 0), Buffer.alloc(1024)]))).toThrow(
    /not supported/,
  )
})
