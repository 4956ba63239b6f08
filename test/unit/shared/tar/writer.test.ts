import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type TarEntry, TarReader } from '../../../../shared/tar/reader.ts'
import { endOfArchive, paddingOf, type TarHeader, writeHeader } from '../../../../shared/tar/writer.ts'

const plain: TarHeader = {
  name: 'a',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeSeconds: 1_700_000_000,
  major: 0,
  minor: 0,
}

function read(bytes: Buffer): TarEntry[] {
  const entries: TarEntry[] = []
  const reader = new TarReader({ entry: (entry) => entries.push(entry), data: () => {}, end: () => {} })
  reader.push(bytes)
  reader.finish()
  return entries
}

const name = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
    { minLength: 1, maxLength: 300 },
  )
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

test('the reader has back what the writer wrote, bytes and large numbers alike', () => {
  fc.assert(
    fc.property(
      fc.record({
        name,
        linkName: name,
        type: fc.constantFrom(
          'file',
          'symlink',
          'hardlink',
          'directory',
          'fifo',
          'character-device',
          'block-device',
        ),
        mode: fc.integer({ min: 0, max: 0o7777 }),
        uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
        gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
        mtimeSeconds: fc.integer({ min: -(2 ** 33), max: 2 ** 39 }),
        major: fc.integer({ min: 0, max: 0xfff }),
        minor: fc.integer({ min: 0, max: 0xfffff }),
        xattrs: fc.dictionary(fc.stringMatching(/^user\.[a-z]{1,20}$/), fc.uint8Array({ minLength: 1 })),
      }),
      ({ xattrs, mtimeSeconds, ...given }) => {
        const kept = new Map(Object.entries(xattrs).map(([key, value]) => [key, Buffer.from(value)]))
        const [entry] = read(
          Buffer.concat([writeHeader({ ...plain, ...given, mtimeSeconds, xattrs: kept }), endOfArchive]),
        )
        const isDevice = given.type.endsWith('-device')
        // A file whose name ends in a slash is a directory to every reader.
        expect(entry).toMatchObject({
          ...given,
          ...(!isDevice && { major: 0, minor: 0 }),
          mtime: { seconds: mtimeSeconds, nanoseconds: 0 },
        })
        expect(new Map(entry?.xattrs)).toEqual(kept)
      },
    ),
    { numRuns: 300 },
  )
})

test('GNU tar lists it, also a file that is too large for a plain header', () => {
  const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`
  const archive = Buffer.concat([
    writeHeader({ ...plain, name: 'dir/', type: 'directory', mode: 0o755 }),
    writeHeader({ ...plain, name: long, size: 3 }),
    Buffer.from('abc'),
    paddingOf(3),
    writeHeader({ ...plain, name: 'link', type: 'symlink', linkName: 'x'.repeat(150) }),
    writeHeader({ ...plain, name: 'late', mtimeSeconds: 2 ** 36, uid: 3_000_000 }),
    endOfArchive,
  ])
  const lines = execFileSync('tar', ['-tv', '--numeric-owner'], { input: archive }).toString().split('\n')
  expect(lines[0]).toMatch(/^drwxr-xr-x 0\/0 .* dir\/$/)
  expect(lines[1]).toMatch(new RegExp(`^-rw-r--r-- 0/0 +3 .* ${long}$`))
  expect(lines[2]).toContain(`link -> ${'x'.repeat(150)}`)
  expect(lines[3]).toContain('3000000/0')
  const [huge] = read(Buffer.concat([writeHeader({ ...plain, type: 'fifo', size: 0 }), endOfArchive]))
  expect(huge?.type).toBe('fifo')
  expect(writeHeader({ ...plain, size: 2 ** 40 }).toString('latin1')).toContain(`size=${2 ** 40}\n`)
})
