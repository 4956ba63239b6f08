/** That only one kagod works on a data root and a run root: locks that end with the process, however it ends. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KagoError } from '../shared/errors.ts'
import type { Paths } from './paths.ts'

export interface Instance {
  release(): void
}

/**
 * Takes both roots, making them if they are missing, and writes the pid file.
 * @throws in_use, naming the root and the other kagod's pid.
 */
export function takeRoots(paths: Paths): Instance {
  mkdirSync(paths.dataRoot, { recursive: true, mode: 0o700 })
  mkdirSync(paths.runRoot, { recursive: true, mode: 0o711 })
  for (const directory of [paths.containers, paths.bundles, paths.runtimeState]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }
  mkdirSync(dirname(paths.socket), { recursive: true, mode: 0o755 })
  const locks = [lock(paths.dataRoot, paths)]
  try {
    locks.push(lock(paths.runRoot, paths))
  } catch (error) {
    for (const held of locks) held.close()
    throw error
  }
  writeFileSync(paths.pidFile, `${process.pid}\n`, { mode: 0o644 })
  return {
    release() {
      rmSync(paths.pidFile, { force: true })
      for (const held of locks) held.close()
    },
  }
}

/**
 * An exclusive lock on DIRECTORY/kagod.lock. SQLite takes it, since Node has no call for file locks:
 * a record lock (fcntl(2)) that the kernel drops when the process ends.
 */
function lock(directory: string, paths: Paths): DatabaseSync {
  const file = new DatabaseSync(join(directory, 'kagod.lock'))
  try {
    file.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
    return file
  } catch (error) {
    file.close()
    throw new KagoError('in_use', `another kagod${otherPid(paths)} works on ${directory}`, {
      hint: 'stop it first, or give this one other roots: --data-root DIR --run-root DIR',
      cause: error,
    })
  }
}

function otherPid(paths: Paths): string {
  try {
    return ` (pid ${readFileSync(paths.pidFile, 'utf8').trim()})`
  } catch {
    // Its run root is another one: the pid is not known, the lock still holds.
    return ''
  }
}
