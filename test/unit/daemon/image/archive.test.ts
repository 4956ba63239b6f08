import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readArchive } from '../../../../daemon/image/archive-read.ts'
import { type ArchivePart, writeArchive } from '../../../../daemon/image/archive-write.ts'
import { file, symlink, tar } from '../../../harness/tar-builder.ts'

const inPieces = (bytes: Buffer, size: number) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    })(),
    { objectMode: false },
  )

async function readFiles(bytes: Buffer, size = 700): Promise<[string, string][]> {
  const files: [string, string][] = []
  for await (const entry of readArchive(inPieces(bytes, size))) {
    if (entry.kind === 'file')
      files.push([entry.name, (await buffer(Readable.from(entry.content))).toString('base64')])
    else files.push([entry.name, `→ ${entry.target}`])
  }
  return files
}

describe('an archive that was written', () => {
  it('is read back as it was, whatever pieces it comes in', async () => {
    const contents = fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(contents, fc.integer({ min: 1, max: 2000 }), async (all, size) => {
        const parts = all.map((bytes, index): ArchivePart => {
          const name = `blobs/${index}`
          if (index % 2 === 0) return { kind: 'bytes', name, bytes: Buffer.from(bytes) }
          return { kind: 'stream', name, size: bytes.length, open: () => Readable.from([Buffer.from(bytes)]) }
        })
        const archive = await buffer(writeArchive([{ kind: 'directory', name: 'blobs' }, ...parts]))
        expect(archive.length % 512).toBe(0)
        const expected = all.map((bytes, index) => [`blobs/${index}`, Buffer.from(bytes).toString('base64')])
        expect(await readFiles(archive, size)).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  it.each([1, 3])('is no archive when a file turns out to be %i bytes instead of 2', async (length) => {
    const open = () => Readable.from([Buffer.alloc(length)])
    await expect(buffer(writeArchive([{ kind: 'stream', name: 'x', size: 2, open }]))).rejects.toThrow(
      'x is not 2 bytes long',
    )
  })

  it('states sizes beyond 8 GiB', async () => {
    const open = () => Readable.from([])
    const stream = writeArchive([{ kind: 'stream', name: 'x', size: 2 ** 40 + 1, open }])
    const [header] = await stream.take(1).toArray()
    stream.on('error', () => {})
    async function* once() {
      yield Buffer.from(header)
    }
    const entries = readArchive(once())
    expect((await entries.next()).value).toMatchObject({ name: 'x', size: 2 ** 40 + 1 })
  })
})

describe('reading an archive', () => {
  it('resolves names and links inside of it', async () => {
    const archive = tar(file('./a/../b', '1'), symlink('d/link', '../b'), symlink('e', './b'), file('d/', ''))
    expect(await readFiles(archive)).toEqual([
      ['b', Buffer.from('1').toString('base64')],
      ['d/link', '→ b'],
      ['e', '→ b'],
    ])
  })

  it('skips what is not read', async () => {
    const names: string[] = []
    const archive = tar(file('a', Buffer.alloc(5000)), file('b', 'x'))
    for await (const entry of readArchive(inPieces(archive, 512))) names.push(entry.name)
    expect(names).toEqual(['a', 'b'])
  })
})
