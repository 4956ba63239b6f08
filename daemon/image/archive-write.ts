/** Writes a tar archive whose bytes depend on nothing but the files' names and bytes. Flat memory. */
import { Readable } from 'node:stream'
import { type Pack, pack } from 'tar-stream'

export type ArchivePart =
  | { kind: 'directory'; name: string }
  | { kind: 'bytes'; name: string; bytes: Buffer }
  | { kind: 'stream'; name: string; size: number; open: () => AsyncIterable<Uint8Array> }

/** The archive as a stream; parts are opened one after the other, when their turn comes. */
export function writeArchive(parts: Iterable<ArchivePart>): Readable {
  const archive = pack({ highWaterMark: 1024 * 1024 })
  archive.on('error', () => undefined)
  addAll(archive, parts).catch((error: unknown) => {
    archive.destroy(error instanceof Error ? error : new Error(String(error)))
  })
  return Readable.from(archive, { objectMode: false })
}

async function addAll(archive: Pack, parts: Iterable<ArchivePart>): Promise<void> {
  const always = { mtime: new Date(0), uid: 0, gid: 0 }
  for (const part of parts) {
    switch (part.kind) {
      case 'directory':
        archive.entry({ ...always, name: `${part.name}/`, type: 'directory', mode: 0o755 })
        break
      case 'bytes':
        archive.entry({ ...always, name: part.name, type: 'file', mode: 0o644 }, part.bytes)
        break
      case 'stream': {
        const entry = archive.entry({
          ...always,
          name: part.name,
          type: 'file',
          mode: 0o644,
          size: part.size,
        })
        // Nobody reads the archive any more: the blobs that are left need not be read either.
        if (!(await addBytes(entry, part))) return
        break
      }
      default:
        part satisfies never
    }
  }
  archive.finalize()
}

type Entry = ReturnType<Pack['entry']>

/** A header has promised a size: any other number of bytes would spoil everything after them. False if the entry was closed. */
async function addBytes(entry: Entry, part: ArchivePart & { kind: 'stream' }): Promise<boolean> {
  let isClosed = false
  // Whoever reads the archive gets its error; an entry has it too, and nobody to tell.
  entry.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    entry.once('close', () => {
      isClosed = true
      resolve()
    })
  })
  let left = part.size
  for await (const chunk of part.open()) {
    left -= chunk.length
    if (left < 0) break
    if (entry.write(chunk)) continue
    await Promise.race([new Promise<void>((resolve) => void entry.once('drain', resolve)), closed])
    if (isClosed) return false
  }
  if (left !== 0) throw new Error(`${part.name} is not ${part.size} bytes long`)
  entry.end(null)
  await closed
  return true
}
