/**
 * The content store: immutable bytes, each found by its digest. It knows nothing of images.
 *
 * Words
 *   content   bytes whose sha256 is their name. What is in the store was verified when it came in.
 *   partial   the first bytes of content that is still on its way. Unverified, never handed out, kept over failures and
 *             restarts so that the next `ingest` of the same digest goes on where this one stopped.
 *
 * On disk, below `root` (one file system, 0700):
 *   content/sha256/ab/abcdef…   one file per content; the name is written last, after the bytes are on the disk
 *   ingest/abcdef…              partials
 *
 * Promises
 *   - A name never stands for other bytes: written beside, hashed, fsynced, renamed, directory fsynced.
 *   - Two that ingest one digest at once are one download; it lives as long as one of them wants it.
 *   - After a failure nothing is left but partial bytes, and `remove` on a digest leaves neither.
 *   - Every failure is a KagoError: `not_found`, `corrupt` (bytes are not what their digest or size says), `exhausted`
 *     (disk, or more than `maxBytes`), `cancelled`, or what the source throws.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import { type Digest, digestHex, isDigest } from '../../shared/oci/digest.ts'
import { errnoCode, fileError, syncDirectory, writeFileAtomically } from '../host/files.ts'
import { type IngestOptions, type IngestSource, ingestShared, type SharedIngest } from './ingest.ts'
import { type ByteRange, readChunks } from './read-chunks.ts'

export interface ContentStore {
  readonly root: string
  has(digest: Digest): Promise<boolean>
  /** Bytes. @throws not_found */
  size(digest: Digest): Promise<number>
  /** Where the file is, or would be. For reading only. */
  path(digest: Digest): string
  /**
   * The bytes, or a part of them, as a stream, as they were verified when they came; opened by the first reading. The stream
   * fails with not_found if they are not there.
   */
  read(digest: Digest, range?: ByteRange): Readable
  /** The bytes, hashed again. @throws not_found, corrupt, and exhausted if there are more than `maxBytes` */
  readVerified(digest: Digest, maxBytes: number): Promise<Buffer>
  /**
   * Brings content in; done at once if it is there. Goes on from partial bytes, which are hashed again first; bytes that
   * turn out wrong are dropped and the whole is fetched once more before `corrupt` is thrown.
   * @param source asked for the bytes from an offset on. It gets the signal of the download, which outlives the caller's
   *   own when another waits for the same content.
   */
  ingest(
    content: { digest: Digest; size: number },
    source: IngestSource,
    options?: IngestOptions,
  ): Promise<void>
  /** Stores bytes at hand under their digest. */
  write(bytes: Uint8Array): Promise<Digest>
  /** Removes content and partial bytes; nothing there is success. */
  remove(digest: Digest): Promise<void>
  list(): Promise<Digest[]>
  /** Bytes of all partials and how many there are; `remove` takes them away. */
  listPartials(): Promise<{ digest: Digest; bytes: number }[]>
  /** Removes what a crash left of `write`; call once before anything else. */
  recover(): Promise<void>
}

export function openContentStore({ root }: { root: string }): ContentStore {
  const content = join(root, 'content', 'sha256')
  const ingests = join(root, 'ingest')
  const running = new Map<Digest, SharedIngest>()
  const path = (digest: Digest) => join(content, digestHex(digest).slice(0, 2), digestHex(digest))
  const partialPath = (digest: Digest) => join(ingests, digestHex(digest))

  async function sizeOrNothing(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(path(digest))).size
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined
      throw fileError(error, `cannot look for ${digest}`)
    }
  }

  async function makePlace(digest: Digest): Promise<string> {
    const made = await mkdir(dirname(path(digest)), { recursive: true, mode: 0o700 })
    if (made !== undefined) await syncDirectory(content)
    return path(digest)
  }

  const store: ContentStore = {
    root,
    path,
    has: async (digest) => (await sizeOrNothing(digest)) !== undefined,
    async size(digest) {
      const size = await sizeOrNothing(digest)
      if (size === undefined) throw missing(digest)
      return size
    },
    read: (digest, range) =>
      Readable.from(
        readChunks(path(digest), () => missing(digest), range),
        { objectMode: false },
      ),
    async readVerified(digest, maxBytes) {
      const size = await store.size(digest)
      if (size > maxBytes)
        throw new KagoError(
          'exhausted',
          `${digest} has ${size} bytes, more than the ${maxBytes} allowed here`,
        )
      const parts: Buffer[] = []
      const hash = createHash('sha256')
      for await (const chunk of readChunks(path(digest), () => missing(digest))) {
        hash.update(chunk)
        parts.push(chunk)
      }
      if (`sha256:${hash.digest('hex')}` !== digest) throw damaged(digest)
      return Buffer.concat(parts)
    },
    async ingest({ digest, size }, source, options = {}) {
      if (await store.has(digest)) options.onProgress?.(size)
      else
        await ingestShared(
          running,
          { digest, size, partial: partialPath(digest), makePlace },
          source,
          options,
        )
      // What was there, or what another asked for by the same digest, need not have the size of this descriptor.
      const actual = await store.size(digest)
      if (actual !== size) throw wrongSize(digest, size, actual)
    },
    async write(bytes) {
      const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      if (!(await store.has(digest))) {
        const place = await makePlace(digest).catch((error: unknown) => {
          throw fileError(error, `cannot store ${digest}`)
        })
        await writeFileAtomically(place, bytes)
      }
      return digest
    },
    async remove(digest) {
      try {
        await rm(path(digest), { force: true })
        await rm(partialPath(digest), { force: true })
      } catch (error) {
        throw fileError(error, `cannot remove ${digest}`)
      }
    },
    async list() {
      const digests: Digest[] = []
      for (const prefix of await names(content))
        for (const name of await names(join(content, prefix)))
          if (isDigest(`sha256:${name}`)) digests.push(`sha256:${name}`)
      return digests
    },
    async listPartials() {
      const partials: { digest: Digest; bytes: number }[] = []
      for (const name of await names(ingests)) {
        const found = await stat(join(ingests, name)).catch(() => undefined)
        if (isDigest(`sha256:${name}`) && found !== undefined)
          partials.push({ digest: `sha256:${name}`, bytes: found.size })
      }
      return partials
    },
    async recover() {
      for (const prefix of await names(content))
        for (const name of await names(join(content, prefix)))
          if (name.startsWith('.')) await rm(join(content, prefix, name), { force: true })
    },
  }
  return store
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ENOTDIR') return []
    throw fileError(error, `cannot read ${directory}`)
  }
}

function missing(digest: Digest): KagoError {
  return new KagoError('not_found', `${digest} is not in the content store`)
}

function damaged(digest: Digest): KagoError {
  return new KagoError('corrupt', `the bytes of ${digest} in the content store are damaged`, {
    hint: 'remove the image and pull it again',
    details: { digest },
  })
}

function wrongSize(digest: Digest, stated: number, actual: number): KagoError {
  return new KagoError('corrupt', `${digest} has ${actual} bytes, but its descriptor says ${stated}`, {
    details: { digest, stated, actual },
  })
}
