/**
 * Measures what is below a directory: the bytes its files and directories take on the disk, each file once, the directory
 * itself not counted. Works in short turns, so that the daemon goes on answering, and stops at a deadline if it is given one.
 *
 * Somebody may be swapping names meanwhile: every directory is opened in its parent, by descriptor, and never through a link.
 */
import * as fs from 'node:fs'
import { errnoCode, runFileToolOutput } from './files.ts'

const turnMs = 4
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants
/** Each level holds a descriptor; deeper trees are left to du. */
const deepest = 64

export interface TreeUsage {
  bytes: number
  /** False if the deadline came first: these are the bytes that were found by then. */
  isWhole: boolean
}

/** @param deadline as `performance.now()` */
export async function measureTree(path: string, deadline = Number.POSITIVE_INFINITY): Promise<TreeUsage> {
  const counted = { bytes: 0 }
  const walk = walkTree(path, counted)
  try {
    for (;;) {
      const until = Math.min(performance.now() + turnMs, deadline)
      for (;;) {
        const step = walk.next()
        if (step.done === true) {
          if (step.value === 'whole') return { bytes: counted.bytes, isWhole: true }
          if (deadline !== Number.POSITIVE_INFINITY) return { bytes: counted.bytes, isWhole: false }
          return { bytes: await measureByTool(path), isWhole: true }
        }
        if (performance.now() >= until) break
      }
      if (performance.now() >= deadline) return { bytes: counted.bytes, isWhole: false }
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  } finally {
    walk.return('whole')
  }
}

async function measureByTool(path: string): Promise<number> {
  const said = await runFileToolOutput('du', ['-s', '-x', '-B1', '--', path], `cannot measure ${path}`)
  return Math.max(0, Number.parseInt(said, 10) - fs.statSync(path).blocks * 512)
}

/** Rests after every directory and every few hundred names. */
function* walkTree(
  path: string,
  counted: { bytes: number },
): Generator<void, 'whole' | 'too deep', undefined> {
  const seen = new Set<string>()
  const open: { fd: number; names: string[] }[] = []
  const enter = (place: string) => {
    const fd = openDirectory(place)
    if (fd !== undefined) open.push({ fd, names: fs.readdirSync(`/proc/self/fd/${fd}`, 'latin1') })
  }
  let count = 0
  try {
    enter(path)
    for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
      const name = level.names.pop()
      if (name === undefined) {
        open.pop()
        fs.closeSync(level.fd)
        continue
      }
      if (++count % 256 === 0) yield
      const place = `/proc/self/fd/${level.fd}/${name}`
      const stats = fs.lstatSync(atBytes(place), { throwIfNoEntry: false })
      if (stats === undefined) continue
      if (stats.nlink > 1 && !stats.isDirectory()) {
        const key = `${stats.dev}:${stats.ino}`
        if (seen.has(key)) continue
        seen.add(key)
      }
      counted.bytes += stats.blocks * 512
      if (!stats.isDirectory()) continue
      if (open.length >= deepest) return 'too deep'
      yield
      enter(place)
    }
    return 'whole'
  } finally {
    for (const { fd } of open) fs.closeSync(fd)
  }
}

function openDirectory(place: string): number | undefined {
  try {
    return fs.openSync(atBytes(place), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    const code = errnoCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
}

function atBytes(place: string): Buffer {
  return Buffer.from(place, 'latin1')
}
