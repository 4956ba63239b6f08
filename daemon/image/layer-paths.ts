/** Names inside a layer: relative to its root, which is the current directory, bytes as latin1, the root itself ''. */
import * as fs from 'node:fs'

const nonAscii = /[\u0080-\u00ff]/

/** The name as a system call takes it. */
export function atPath(path: string): string | Buffer {
  if (path === '') return '.'
  return nonAscii.test(path) ? Buffer.from(path, 'latin1') : path
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

/**
 * Removes a name and, if it is a directory, all below it; no link is followed.
 * @param removed is told each name that is gone
 */
export function removeAll(path: string, removed?: (path: string) => void): void {
  const found = fs.lstatSync(atPath(path), { throwIfNoEntry: false })
  if (found === undefined) return
  if (found.isDirectory()) {
    for (const name of fs.readdirSync(atPath(path), 'latin1')) removeAll(joinPath(path, name), removed)
    fs.rmdirSync(atPath(path))
  } else {
    fs.unlinkSync(atPath(path))
  }
  removed?.(path)
}
