/** Walks through an image archive as it arrives: its files with their bytes, its links, nothing else. Flat memory. */
import { KagoError, isKagoError } from '../../shared/errors.ts'
import { decompress } from './decompress.ts'
import { showName } from './layer-entry.ts'
import { TarError } from '../../shared/tar/fields.ts'
import { type TarEntry, TarReader } from '../../shared/tar/reader.ts'

export type ArchiveEntry =
  | {
      kind: 'file'
      /** Relative, without `.` and `..`. */
      name: string
      size: number
      /** To be read at most once, before the next entry is asked for; what is not read is skipped. */
      content: AsyncIterable<Buffer>
    }
  /** A symbolic or hard link: `name` is another name of `target`, which may come later. */
  | { kind: 'link'; name: string; target: string }

/** More than any image has; keeps an archive of empty entries from filling the memory. */
const maxEntries = 100_000

type TarEvent = { type: 'entry'; entry: TarEntry } | { type: 'data'; chunk: Buffer } | { type: 'end' }

/**
 * @param source the archive's bytes, plain or compressed (gzip, zstd)
 * @throws invalid_argument for what is no tar archive, or holds what no image archive does
 */
export async function* readArchive(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const events = tarEvents(source)
  let entries = 0
  try {
    for (;;) {
      const next = await events.next()
      if (next.done) break
      if (next.value.type !== 'entry') continue
      if (++entries > maxEntries) throw refuse(`it has more than ${maxEntries} entries`)
      const entry = toArchiveEntry(next.value.entry, events)
      if (entry !== undefined) yield entry
    }
  } finally {
    await events.return()
  }
  if (entries === 0) throw refuse('it is empty')
}

function toArchiveEntry(entry: TarEntry, events: AsyncGenerator<TarEvent>): ArchiveEntry | undefined {
  const name = cleanName(entry.name, entry.name)
  switch (entry.type) {
    case 'directory':
      return undefined
    case 'file':
      return { kind: 'file', name, size: entry.size, content: contentOf(events) }
    case 'hardlink':
      return { kind: 'link', name, target: cleanName(entry.linkName, entry.name) }
    case 'symlink': {
      const parent = name.split('/').slice(0, -1)
      return { kind: 'link', name, target: cleanName([...parent, entry.linkName].join('/'), entry.name) }
    }
    default:
      throw refuse(`the entry ${showName(entry.name)} is a ${entry.type}`)
  }
}

async function* contentOf(events: AsyncGenerator<TarEvent>): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const next = await events.next()
    if (next.done || next.value.type !== 'data') return
    yield next.value.chunk
  }
}

async function* tarEvents(source: AsyncIterable<Buffer>): AsyncGenerator<TarEvent, void, undefined> {
  let queue: TarEvent[] = []
  const reader = new TarReader({
    entry: (entry) => void queue.push({ type: 'entry', entry }),
    data: (chunk) => void queue.push({ type: 'data', chunk }),
    end: () => void queue.push({ type: 'end' }),
  })
  // Put into words here: whoever reads a file's content would take the failure for its own.
  try {
    for await (const chunk of decompress(source)) {
      reader.push(chunk)
      // Handed out before more is read: the chunk's memory is the reader's again afterwards.
      yield* queue
      queue = []
    }
    reader.finish()
  } catch (error) {
    throw archiveError(error)
  }
}

/** A name inside the archive, resolved: `./a` is `a`, `x/../a` is `a`. Names are UTF-8. */
function cleanName(latin1: string, entry: string): string {
  const parts: string[] = []
  for (const part of Buffer.from(latin1, 'latin1').toString('utf8').split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) throw refuse(`the entry ${showName(entry)} leads out of it`)
  }
  return parts.join('/')
}

function refuse(rule: string): KagoError {
  return new KagoError('invalid_argument', `the archive is no image archive: ${rule}`, {
    hint: 'kago loads OCI layouts and what docker save writes, as tar archives',
  })
}

function archiveError(error: unknown): unknown {
  if (isKagoError(error)) return error
  if (error instanceof TarError) return refuse(`${error.message}, at byte ${error.offset}`)
  if (error instanceof Error && 'code' in error && /^(ERR_)?(Z|ZSTD|ZLIB)_/.test(String(error.code)))
    return refuse(`its compressed bytes are damaged: ${error.message}`)
  return error
}
