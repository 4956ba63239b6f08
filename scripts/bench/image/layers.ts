/** Layers like those of real images: slices of this machine's own programs and texts, in many small and some large files. */
import { execFileSync } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { createWriteStream, readFileSync } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

export interface LayerPlan {
  files: number
  /** Of all files together. */
  bytes: number
}

export interface LayerBlob {
  path: string
  /** Of the compressed bytes. */
  digest: string
  size: number
  diffId: string
}

/** A third each of programs, libraries and texts. */
const poolSources = [/^\/usr\/bin\//, /\.so[.\d]*$/, /^\/usr\/share\//]
const poolPartBytes = 20 << 20

/** Something to cut files from. */
export function readPool(): Buffer {
  const find = ['/usr/bin', '/usr/lib', '/usr/share', '-xdev', '-type', 'f', '-size', '-4096k', '-print0']
  const paths = execFileSync('find', find, { encoding: 'utf8', maxBuffer: 1 << 28 })
    .split('\0')
    .slice(0, -1)
  return Buffer.concat(
    poolSources.flatMap((pattern) => take(paths.filter((path) => pattern.test(path)).sort())),
  )
}

function take(paths: readonly string[]): Buffer[] {
  const parts: Buffer[] = []
  for (let size = 0; size < poolPartBytes && parts.length < paths.length; ) {
    const bytes = readFileSync(paths[parts.length] ?? '')
    parts.push(bytes)
    size += bytes.length
  }
  return parts
}

/** Writes one layer, gzipped as registries have it. The same pool and plan give the same bytes. */
export async function writeLayer(
  path: string,
  name: string,
  plan: LayerPlan,
  pool: Buffer,
): Promise<LayerBlob> {
  const tar = pack()
  const plain = createHash('sha256')
  const compressed = createHash('sha256')
  let size = 0
  const written = pipeline(
    tar,
    tee(plain),
    createGzip({ level: 6, chunkSize: 1 << 20 }),
    tee(compressed, (bytes) => (size += bytes)),
    createWriteStream(path),
  )
  const entry = promisedEntry(tar)
  await entry({ name: `${name}/`, type: 'directory', mode: 0o755 })
  const share = plan.bytes / plan.files
  let offset = hashOf(name) % pool.length
  for (let index = 0; index < plan.files; index++) {
    if (index % 100 === 0) await entry({ name: `${name}/${index / 100}/`, type: 'directory', mode: 0o755 })
    // From a tenth of the average to nearly twice as much.
    const length = Math.floor(share * (0.1 + (1.8 * ((index * 7919) % 1000)) / 1000))
    await entry(
      { name: `${name}/${Math.floor(index / 100)}/file-${index}`, mode: 0o644, mtime: new Date(1.7e12) },
      slice(pool, offset, length),
    )
    offset = (offset + length) % pool.length
  }
  tar.finalize()
  await written
  return { path, digest: digestOf(compressed), size, diffId: digestOf(plain) }
}

function slice(pool: Buffer, offset: number, length: number): Buffer {
  const parts: Buffer[] = []
  for (let at = offset, left = length; left > 0; at = 0) {
    const part = pool.subarray(at, at + left)
    parts.push(part)
    left -= part.length
  }
  return parts.length === 1 ? (parts[0] ?? pool) : Buffer.concat(parts)
}

function promisedEntry(tar: ReturnType<typeof pack>) {
  return (header: Parameters<typeof tar.entry>[0], content?: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(error) : resolve())
      if (content === undefined) tar.entry(header, done)
      else tar.entry({ ...header, size: content.length }, done).end(content)
    })
}

function tee(hash: Hash, count: (bytes: number) => void = () => undefined): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      count(chunk.length)
      done(null, chunk)
    },
  })
}

export function digestOf(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`
}

function hashOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE(0)
}
