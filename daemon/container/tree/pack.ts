/** Writes a file or a tree of the root that this process is in as a tar archive. */
import * as fs from 'node:fs'
import { KagoError } from '../../../shared/errors.ts'
import { errnoCode } from '../../host/files.ts'
import { changeDirectory } from '../../host/syscalls.ts'
import { atPath } from '../../image/layer-paths.ts'
import { EntryWriter } from './entries.ts'
import type { PackJob, TreeMessage } from './job.ts'
import { describeFile, locate } from './locate.ts'
import { Output } from './output.ts'

/** What has no files of its own: proc, sysfs, cgroup, cgroup2, mqueue, devpts. Only the directory itself is copied. */
const pseudo = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x19800202, 0x1cd1])

export function pack(
  { path, follow, statOnly = false, isWhole = false }: PackJob,
  say: (message: TreeMessage) => void,
): void {
  const located = locate(path, follow)
  say({ type: 'stat', stat: describeFile(located) })
  if (statOnly) return
  const output = new Output()
  const writer = new EntryWriter(output)
  const { at, name, stats } = located
  const walker = new Walker(writer)
  if (isWhole) walker.walkInside('', stats.dev, 0)
  else walker.walk(latin1(at), latin1(name), stats.dev, 0)
  writer.end()
  say({ type: 'done', bytes: output.bytes })
}

/** Paths are text where people type them, and bytes from here on. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Each level holds two descriptors. */
const deepest = 450
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants

/**
 * Goes into each directory it walks, by a descriptor opened in its parent: names are short for the kernel then, and a link in
 * a directory's place is not followed, not even inside.
 */
class Walker {
  readonly #writer: EntryWriter

  constructor(writer: EntryWriter) {
    this.#writer = writer
  }

  /** A name in the current directory. */
  walk(base: string, name: string, device: number, depth: number): void {
    const found = fs.lstatSync(atPath(base), { throwIfNoEntry: false })
    if (found === undefined) return
    this.#writer.add(atPath(base), name, found)
    if (!found.isDirectory()) return
    const here = openDirectory('.')
    const child = openDirectory(base)
    if (here === undefined || child === undefined) return
    try {
      changeDirectory(child)
      const isCrossing = found.dev !== device
      if (!isCrossing || !pseudo.has(fs.statfsSync('.').type)) this.walkInside(name, found.dev, depth + 1)
      changeDirectory(here)
    } finally {
      fs.closeSync(child)
      fs.closeSync(here)
    }
  }

  walkInside(prefix: string, device: number, depth: number): void {
    if (depth > deepest) {
      throw new KagoError('not_supported', `directories are nested more than ${deepest} deep`)
    }
    const entries = fs.readdirSync('.', { withFileTypes: true, encoding: 'latin1' })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const base = entry.name
      const name = prefix === '' ? base : `${prefix}/${base}`
      if (entry.isFile()) this.#writer.addFile(atPath(base), name)
      else this.walk(base, name, device, depth)
    }
  }
}

function openDirectory(base: string): number | undefined {
  try {
    return fs.openSync(atPath(base), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    const code = errnoCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
}
