/** What is done with files everywhere: written whole or not at all, removed as trees, and failures put into words. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { open, rename, rm, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ErrorCode, KagoError } from '../../shared/errors.ts'

/**
 * Writes a file so that a reader, and a machine that lost power, sees the old bytes or all of the new ones:
 * a temporary file beside it, fsync, rename, fsync of the directory.
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileError(error, `cannot write ${path}`)
  }
}

/** Makes a rename, link or removal inside a directory survive a loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Removes a tree, whatever its depth and whatever bytes its names are made of; nothing there is success.
 * It is `rm`'s work: it walks by descriptor, so no name is too long and no symbolic link is followed.
 */
export async function removeTree(path: string): Promise<void> {
  await runFileTool('rm', ['-rf', '--one-file-system', '--', path], `cannot remove ${path}`)
}

/** What a tree may have to be removed at once. */
const smallTree = { names: 100, blocksOfFile: 2048 }

/**
 * Removes a tree in one go if it is small: each call of `rm` goes through a thread, and a container that did little
 * leaves thirty names. Answers false if it is not small, or could not be removed.
 */
export function removeSmallTree(path: string): boolean {
  try {
    const root = lstatSync(path, { throwIfNoEntry: false })
    if (root === undefined) return true
    if (root.isDirectory() && countNames(Buffer.from(path), smallTree.names) < 0) return false
    rmSync(path, { recursive: true, force: true })
    return true
  } catch {
    // Whoever removes it the slow way meets the reason again, and says it.
    return false
  }
}

/** How many more names there may be after those of a tree; negative if there are too many, or a file is large. */
function countNames(directory: Buffer, most: number): number {
  let left = most
  for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
    if (--left < 0) return -1
    const path = Buffer.concat([directory, slash, entry.name])
    if (entry.isDirectory()) left = countNames(path, left)
    else if (lstatSync(path).blocks > smallTree.blocksOfFile) return -1
    if (left < 0) return -1
  }
  return left
}

const slash = Buffer.from('/')

/** Runs one of coreutils on files, with what it says as the reason of the failure. */
export async function runFileTool(tool: string, args: string[], what: string): Promise<void> {
  await runFileToolOutput(tool, args, what)
}

/** As `runFileTool`; answers what the tool printed. */
export async function runFileToolOutput(tool: string, args: string[], what: string): Promise<string> {
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
  let printed = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed = (printed + text).slice(0, 4096)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 4096)
  })
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject).on('close', resolve)
  const status = await promise.catch((error: unknown) => {
    throw fileError(error, `cannot run ${tool}`)
  })
  if (status === 0) return printed
  const reason = said.trim().split('\n')[0] ?? ''
  const isFull = /No space left|Disk quota/.test(said)
  throw new KagoError(isFull ? 'exhausted' : 'internal', `${what}: ${reason || `${tool} failed`}`)
}

export interface DiskSpace {
  freeBytes: number
  totalBytes: number
}

/** The space of the file system that holds a path, as an unprivileged writer would have it. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  try {
    const { bavail, blocks, bsize } = await statfs(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch (error) {
    throw fileError(error, `cannot tell the free space at ${path}`)
  }
}

const words: Record<string, { code: ErrorCode; says: string; hint?: string }> = {
  ENOSPC: {
    code: 'exhausted',
    says: 'no space left on the disk',
    hint: 'free some: kago rm and kago rmi remove containers and images',
  },
  EDQUOT: { code: 'exhausted', says: 'the disk quota is used up' },
  EMFILE: { code: 'exhausted', says: 'too many open files in this process', hint: 'raise LimitNOFILE' },
  ENFILE: { code: 'exhausted', says: 'too many open files on this machine' },
  ENOMEM: { code: 'exhausted', says: 'out of memory' },
  EROFS: { code: 'unavailable', says: 'the file system is read-only' },
  EIO: { code: 'unavailable', says: 'the disk reports an input/output error', hint: 'look at: dmesg' },
  EACCES: { code: 'permission_denied', says: 'permission denied' },
  EPERM: { code: 'permission_denied', says: 'operation not permitted' },
  ENOENT: { code: 'not_found', says: 'no such file or directory' },
  EEXIST: { code: 'already_exists', says: 'it exists already' },
  ENOTDIR: { code: 'invalid_argument', says: 'a part of the path is no directory' },
  EISDIR: { code: 'invalid_argument', says: 'it is a directory' },
  ELOOP: { code: 'invalid_argument', says: 'too many symbolic links' },
  ENAMETOOLONG: { code: 'invalid_argument', says: 'the name is too long' },
  EBUSY: { code: 'in_use', says: 'it is in use' },
  ENOSYS: { code: 'not_supported', says: 'this kernel has no such call' },
  EOPNOTSUPP: { code: 'not_supported', says: 'the file system does not support it' },
  ENOTSUP: { code: 'not_supported', says: 'the file system does not support it' },
}

/** A failed file operation in words: `what` names the thing (`cannot write /x`). A KagoError stays as it is. */
export function fileError(error: unknown, what: string): KagoError {
  if (error instanceof KagoError) return error
  if (error instanceof Error && error.name === 'AbortError')
    return new KagoError('cancelled', 'cancelled', { cause: error })
  const code = errnoCode(error)
  const known = code === undefined ? undefined : words[code]
  if (known === undefined) {
    const reason = code ?? (error instanceof Error ? error.message : String(error))
    return new KagoError('internal', `${what}: ${reason}`, { cause: error })
  }
  return new KagoError(known.code, `${what}: ${known.says}`, {
    hint: known.hint,
    details: { errno: code },
    cause: error,
  })
}

/** The errno's name of a failed system call (`ENOENT`), if it is one. */
export function errnoCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
