/** Writes a file or a tree of the root that this process is in as a tar archive. */
import * as fs from 'node:fs'
import { errnoCode } from '../../host/files.ts'
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
  const walk = (child: string, childName: string, found: fs.Stats, device: number) => {
    writer.add(atPath(child), childName, found)
    if (found.isDirectory()) walkInside(child, childName, found.dev, found.dev !== device)
  }
  const walkInside = (directory: string, prefix: string, device: number, isCrossing: boolean) => {
    if (isCrossing && pseudo.has(fs.statfsSync(atPath(directory)).type)) return
    for (const base of list(directory)) {
      const child = directory === '.' ? base : `${directory}/${base}`
      const found = fs.lstatSync(atPath(child), { throwIfNoEntry: false })
      if (found !== undefined) walk(child, prefix === '' ? base : `${prefix}/${base}`, found, device)
    }
  }
  if (isWhole) walkInside('.', '', stats.dev, false)
  else walk(latin1(at), latin1(name), stats, stats.dev)
  writer.end()
  say({ type: 'done', bytes: output.bytes })
}

/** Paths are text where people type them, and bytes from here on. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function list(directory: string): string[] {
  try {
    return fs.readdirSync(atPath(directory), 'latin1').sort()
  } catch (error) {
    const code = errnoCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}
