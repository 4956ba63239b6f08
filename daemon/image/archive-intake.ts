/** Takes the files of an image archive in as they arrive: blobs into content, the rest hashed into a scratch directory. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { type Digest, digestHex } from '../../shared/oci/digest.ts'
import { documentLimit } from '../../shared/oci/document.ts'
import type { IngestSource } from '../content/ingest.ts'
import { readChunks } from '../content/read-chunks.ts'
import { diskSpace, fileError, removeTree } from '../host/files.ts'
import { type ArchiveEntry, readArchive } from './archive-read.ts'
import type { ImageContext } from './context.ts'
import { showName } from './layer-entry.ts'
import type { Release } from './leases.ts'

/** A file of the archive, by the digest of what it really holds. */
export interface ArchiveFile {
  digest: Digest
  size: number
  /** Undefined once it is in content. */
  path?: string | undefined
}

export const scratchPrefix = 'load-'
/** What stays free on the disk whatever an archive brings. */
const reserveBytes = 64 << 20
/** Files that every archive may have and nothing needs. */
const needless = /(^|\/)(VERSION|repositories|json)$/
const maxLinks = 10

type FileEntry = ArchiveEntry & { kind: 'file' }

/** Owns a scratch directory and leases on what it put into content, until `close`. */
export class ArchiveIntake {
  readonly #context: ImageContext
  readonly #scratch: string
  readonly #signal: AbortSignal
  readonly #documents = new Map<string, Buffer>()
  readonly #files = new Map<string, ArchiveFile>()
  readonly #links = new Map<string, string>()
  readonly #releases: Release[] = []
  /** Everything that was put into content. */
  readonly digests = new Set<Digest>()

  constructor(context: ImageContext, signal: AbortSignal) {
    this.#context = context
    this.#signal = signal
    this.#scratch = join(context.dataRoot, `${scratchPrefix}${randomUUID()}`)
  }

  async takeAll(source: AsyncIterable<Buffer>): Promise<void> {
    try {
      await mkdir(this.#scratch, { recursive: true, mode: 0o700 })
      for await (const entry of readArchive(source)) {
        this.#signal.throwIfAborted()
        if (entry.kind === 'link') this.#links.set(entry.name, entry.target)
        else await this.#take(entry)
      }
    } catch (error) {
      throw fileError(error, 'cannot take in the archive')
    }
  }

  /** `index.json`, `manifest.json`: the bytes, if the archive has it. */
  document(name: string): Buffer | undefined {
    return this.#documents.get(name)
  }

  /** Stores bytes made here, or read from the archive, and holds them. */
  async write(bytes: Buffer): Promise<Digest> {
    const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    await this.#hold(digest)
    return await this.#context.content.write(bytes)
  }

  /** A file by its name in the archive, links followed inside it. @throws invalid_argument if there is none */
  file(name: string): ArchiveFile {
    let at = name
    for (let hops = 0; hops <= maxLinks; hops++) {
      const found = this.#files.get(at)
      if (found !== undefined) return found
      const target = this.#links.get(at)
      if (target === undefined) break
      at = target
    }
    throw new KagoError('invalid_argument', `the archive lacks a file that it names: ${showName(name)}`)
  }

  /** The file's bytes are in content afterwards. */
  async store(file: ArchiveFile): Promise<void> {
    const { path } = file
    if (path === undefined) return
    await this.#hold(file.digest)
    await this.#context.content.ingest(file, (offset) => from(readFile(path), offset), {
      signal: this.#signal,
    })
    file.path = undefined
  }

  /** The bytes of a small file. @throws corrupt if it is none */
  async readSmall(file: ArchiveFile, name: string): Promise<Buffer> {
    if (file.size > documentLimit)
      throw new KagoError(
        'corrupt',
        `${showName(name)} of the archive is larger than ${documentLimit >> 20} MiB`,
      )
    await this.store(file)
    return await this.#context.content.readVerified(file.digest, documentLimit)
  }

  async close(): Promise<void> {
    for (const release of this.#releases.splice(0)) release()
    await removeTree(this.#scratch)
  }

  async #take(entry: FileEntry): Promise<void> {
    const { name, size } = entry
    const before = this.#files.get(name)
    if (['index.json', 'manifest.json', 'oci-layout'].includes(name)) {
      if (this.#documents.has(name)) throw duplicate(name)
      this.#documents.set(name, await readAll(entry))
      return
    }
    if (needless.test(name)) return
    const blob = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1]
    const file =
      blob === undefined ? await this.#takeFile(entry) : await this.#takeBlob(`sha256:${blob}`, entry)
    if (before !== undefined && (before.digest !== file.digest || before.size !== size)) throw duplicate(name)
    this.#files.set(name, file)
  }

  async #takeBlob(digest: Digest, { size, content }: FileEntry): Promise<ArchiveFile> {
    await this.#hold(digest)
    let isSpent = false
    const source: IngestSource = (offset) => {
      // The archive passes once: bytes that were wrong cannot be asked for again.
      if (isSpent)
        throw new KagoError('corrupt', `a file of the archive is not what its name says: ${digest}`)
      isSpent = true
      return from(content, offset)
    }
    await this.#context.content.ingest({ digest, size }, source, { signal: this.#signal })
    return { digest, size }
  }

  async #takeFile({ name, size, content }: FileEntry): Promise<ArchiveFile> {
    const { freeBytes } = await diskSpace(this.#scratch)
    // Twice: once here and once in content.
    if (2 * size + reserveBytes > freeBytes) {
      throw new KagoError(
        'exhausted',
        `not enough space for ${showName(name)} of the archive (${size} bytes)`,
        {
          hint: 'free some: kago rm and kago rmi remove containers and images',
        },
      )
    }
    const path = join(this.#scratch, String(this.#files.size))
    const hash = createHash('sha256')
    const file = await open(path, 'w', 0o600)
    try {
      for await (const chunk of content) {
        this.#signal.throwIfAborted()
        hash.update(chunk)
        await file.write(chunk)
      }
    } finally {
      await file.close()
    }
    return { digest: `sha256:${hash.digest('hex')}`, size, path }
  }

  async #hold(digest: Digest): Promise<void> {
    if (this.digests.has(digest)) return
    this.digests.add(digest)
    this.#releases.push(await this.#context.memory.leases.hold([digest]))
  }
}

/** Removes what a daemon that died while loading left. */
export async function removeLoadScratch({ dataRoot }: Pick<ImageContext, 'dataRoot'>): Promise<void> {
  for (const name of await readdir(dataRoot))
    if (name.startsWith(scratchPrefix)) await removeTree(join(dataRoot, name))
}

async function readAll({ name, size, content }: FileEntry): Promise<Buffer> {
  if (size > documentLimit)
    throw new KagoError('corrupt', `${name} of the archive is larger than ${documentLimit >> 20} MiB`)
  const parts: Buffer[] = []
  for await (const chunk of content) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

function readFile(path: string): AsyncIterable<Buffer> {
  return readChunks(path, () => new KagoError('internal', `${path} is gone`))
}

/** What comes after the first `offset` bytes. */
async function* from(source: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer, void, undefined> {
  let skip = offset
  for await (const chunk of source) {
    if (skip < chunk.length) yield Buffer.from(chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
}

function duplicate(name: string): KagoError {
  return new KagoError('invalid_argument', `the archive has two different files called ${showName(name)}`)
}

/** For messages: the name of a blob as a file of the archive. */
export function blobName(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`
}
