/** Writes a tar archive (POSIX.1-1988 ustar) whose bytes depend on nothing but the files' names and bytes. Flat memory. */
import { Readable } from 'node:stream'

export type ArchivePart =
  | { kind: 'directory'; name: string }
  | { kind: 'bytes'; name: string; bytes: Buffer }
  | { kind: 'stream'; name: string; size: number; open: () => AsyncIterable<Uint8Array> }

/** The archive as a stream; parts are opened one after the other, when their turn comes. Names are at most 100 bytes. */
export function writeArchive(parts: Iterable<ArchivePart>): Readable {
  return Readable.from(archiveBytes(parts), { objectMode: false })
}

async function* archiveBytes(parts: Iterable<ArchivePart>): AsyncGenerator<Uint8Array, void, undefined> {
  for (const part of parts) {
    switch (part.kind) {
      case 'directory':
        yield header(`${part.name}/`, 0, { type: '5', mode: '0000755' })
        break
      case 'bytes':
        yield header(part.name, part.bytes.length, { type: '0', mode: '0000644' })
        yield part.bytes
        yield padding(part.bytes.length)
        break
      case 'stream':
        yield header(part.name, part.size, { type: '0', mode: '0000644' })
        yield* exactly(part)
        yield padding(part.size)
        break
    }
  }
  yield Buffer.alloc(1024)
}

/** A header has promised a size: any other number of bytes would spoil everything after them. */
async function* exactly(part: ArchivePart & { kind: 'stream' }): AsyncGenerator<Uint8Array, void, undefined> {
  let left = part.size
  for await (const chunk of part.open()) {
    left -= chunk.length
    if (left < 0) break
    yield chunk
  }
  if (left !== 0) throw new Error(`${part.name} is not ${part.size} bytes long`)
}

function header(name: string, size: number, { type, mode }: { type: string; mode: string }): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write(`${mode}\0`, 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  // Eleven octal digits end at 8 GiB; beyond it is GNU's base-256, which every reader knows.
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  block.write('00000000000\0', 136)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function padding(size: number): Buffer {
  return Buffer.alloc((512 - (size % 512)) % 512)
}
