/** The files of one log: `current`, and the older ones `1`, `2`, … that it is renamed to when it is full. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'

/** An open log file; its inode tells it from others whatever it is called by now. */
export interface LogFile {
  handle: FileHandle
  inode: bigint
  modifiedNs: bigint
}

/**
 * All files, oldest first. Opened from the newest on: if the shim rotates meanwhile, a file is met twice and not
 * missed.
 */
export async function openLogFiles(directory: string): Promise<LogFile[]> {
  const files: LogFile[] = []
  for (let number = 0, last = await highestNumber(directory); number <= last; number++) {
    const file = await openLogFile(directory, number)
    if (file === undefined) continue
    if (files.some(({ inode }) => inode === file.inode)) await file.handle.close()
    else files.push(file)
  }
  return files.reverse()
}

/**
 * The file that was begun after this one. Undefined while this one is still `current`, or in the moment between its
 * renaming and the making of the next. If it has been deleted, or there was none: the oldest there is.
 */
export async function openNextLogFile(
  directory: string,
  file: LogFile | undefined,
): Promise<LogFile | undefined> {
  const last = await highestNumber(directory)
  const isGone = file === undefined || (await file.handle.stat()).nlink === 0
  if (isGone) return openOldest(directory, last)
  // names only ever grow, and so does this number: the file cannot slip by
  for (let number = 0; number <= last; number++) {
    if ((await inodeOf(directory, number)) !== file.inode) continue
    if (number === 0) return undefined
    const next = await openLogFile(directory, number - 1)
    // renamed once more in between: what was opened may be the file after the next
    if (next === undefined || (await inodeOf(directory, number)) === file.inode) return next
    await next.handle.close()
    return undefined
  }
  return undefined
}

async function openOldest(directory: string, last: number): Promise<LogFile | undefined> {
  for (let number = last; number >= 0; number--) {
    const file = await openLogFile(directory, number)
    if (file) return file
  }
  return undefined
}

/** One more than is listed: the oldest may just be renamed, and a listing may miss what is renamed meanwhile. */
async function highestNumber(directory: string): Promise<number> {
  const names = await readdir(directory).catch((error: unknown) => missing(error, directory, []))
  const numbers = names.filter((name) => /^[1-9]\d{0,3}$/.test(name)).map(Number)
  return Math.max(0, ...numbers) + 1
}

async function openLogFile(directory: string, number: number): Promise<LogFile | undefined> {
  const path = pathOf(directory, number)
  const handle = await open(path, 'r').catch((error: unknown) => missing(error, path, undefined))
  if (handle === undefined) return undefined
  const { ino, mtimeNs } = await handle.stat({ bigint: true })
  return { handle, inode: ino, modifiedNs: mtimeNs }
}

async function inodeOf(directory: string, number: number): Promise<bigint | undefined> {
  const path = pathOf(directory, number)
  const status = await stat(path, { bigint: true }).catch((error: unknown) => missing(error, path, undefined))
  return status?.ino
}

function pathOf(directory: string, number: number): string {
  return join(directory, number === 0 ? 'current' : String(number))
}

function missing<T>(error: unknown, path: string, instead: T): T {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return instead
  throw new KagoError('internal', `cannot read the log ${path}`, { cause: error })
}
