/** A Debian base system by debootstrap, as the tar of a layer; made once and kept in .cache. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const cache = join(import.meta.dirname, '../../.cache/test-images')

export interface DebianBase {
  /** The unpacked system. */
  directory: string
  tar: string
}

/** Needs Debian's package mirror the first time: the one this machine's apt uses. */
export function debianBase(suite = 'bookworm'): DebianBase {
  const directory = join(cache, suite)
  const tar = `${directory}.tar`
  if (existsSync(tar)) return { directory, tar }
  mkdirSync(cache, { recursive: true })
  rmSync(directory, { recursive: true, force: true })
  const making = `${directory}.${process.pid}`
  execFileSync('debootstrap', ['--variant=minbase', suite, making, packageMirror()], { stdio: 'pipe' })
  rmSync(join(making, 'var/cache/apt/archives'), { recursive: true })
  renameSync(making, directory)
  execFileSync('tar', [
    '--numeric-owner',
    '--xattrs',
    '--one-file-system',
    '-C',
    directory,
    '-cf',
    `${tar}.part`,
    '.',
  ])
  renameSync(`${tar}.part`, tar)
  return { directory, tar }
}

function packageMirror(): string {
  const lists = ['/etc/apt/sources.list', ...names('/etc/apt/sources.list.d', /\.(sources|list)$/)]
  const text = lists.map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')).join('\n')
  const mirror = /^URIs:\s*(\S+)/m.exec(text)?.[1] ?? /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1]
  if (mirror === undefined) throw new Error('apt has no mirror that debootstrap could use')
  return mirror
}

function names(directory: string, pattern: RegExp): string[] {
  return existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => pattern.test(name))
        .map((name) => join(directory, name))
    : []
}
