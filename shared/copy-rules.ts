/**
 * Docker's rules of cp, as a decision: where an archive of one file or directory is extracted and under which name.
 * Both ends of a copy ask it, each of its own side.
 */
import { KagoError } from './errors.ts'

export interface CopySource {
  /** The name at the archive's top; `.` when only the content of a directory is meant. */
  name: string
  isDirectory: boolean
}

export interface CopyTarget {
  /** As it was typed. */
  path: string
  /** What is at the path, links followed; undefined if nothing is. */
  kind: 'directory' | 'file' | undefined
}

/**
 * `into`: extract in the directory at the path, names as they are (`.` is the directory itself).
 * `as`: the archive's top name becomes the path's own last name, in the path's parent.
 * @throws invalid_argument where a directory would replace a file, not_found where a file is to go into no directory
 */
export function placeCopy(source: CopySource, target: CopyTarget): 'into' | 'as' {
  if (target.kind === 'directory') return 'into'
  if (target.kind === 'file') {
    if (source.isDirectory) {
      throw new KagoError('invalid_argument', `cannot copy a directory onto a file: ${target.path}`)
    }
    if (assertsDirectory(target.path)) {
      throw new KagoError('invalid_argument', `it is no directory: ${target.path}`)
    }
    return 'as'
  }
  if (!source.isDirectory && assertsDirectory(target.path)) {
    throw new KagoError('not_found', `there is no directory ${target.path}`, {
      hint: 'make it first, or leave out the slash at the end to give the file that name',
    })
  }
  return 'as'
}

/** Whether the path says of itself that it is a directory. */
export function assertsDirectory(path: string): boolean {
  return path.endsWith('/') || meansContent(path)
}

/** `a/.` and `.`: what is in the directory, not the directory. */
export function meansContent(path: string): boolean {
  return path === '.' || path.endsWith('/.')
}

/** The name a path ends in: `c` of `/a/b/c/`, and `.` of the root or of `/a/.`. */
export function lastName(path: string): string {
  if (meansContent(path)) return '.'
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return parts.at(-1) ?? '.'
}
