/** Chooses the snapshotter of this machine: overlayfs where a mount of it works on the data root, else copies. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { fileError, removeTree } from '../host/files.ts'
import type { Snapshotter } from './contract.ts'
import { copySnapshotter } from './copy.ts'
import { overlaySnapshotter } from './overlay.ts'

export interface Choice {
  snapshotter: Snapshotter
  /** Why overlayfs is not used, for `kago info`; undefined if it is. */
  reason: string | undefined
}

/** @param root the folder for layers, absolute; made if missing */
export async function chooseSnapshotter(root: string): Promise<Choice> {
  const reason = await probeOverlay(root)
  return reason === undefined
    ? { snapshotter: overlaySnapshotter(root), reason: undefined }
    : { snapshotter: copySnapshotter(root), reason }
}

/**
 * The snapshotter that the configuration asks for.
 * @throws not_supported, with the reason, if overlayfs is asked for by name and does not work
 */
export async function openSnapshotter(
  wanted: 'auto' | 'overlay' | 'copy',
  root: string,
): Promise<Snapshotter> {
  if (wanted === 'copy') return copySnapshotter(root)
  const { snapshotter, reason } = await chooseSnapshotter(root)
  if (wanted === 'auto' || reason === undefined) return snapshotter
  throw new KagoError('not_supported', `overlayfs does not work on ${root}: ${reason}`, {
    hint: 'set "snapshotter" to "auto" or "copy"',
  })
}

/**
 * Mounts a small overlay on the very file system, in a namespace of its own that ends with the probe, and looks whether a
 * file of the lower layer shows, whether one can be written and whether whiteouts and opaque marks can be made.
 * @returns why it does not work, or undefined if it does
 */
export async function probeOverlay(root: string): Promise<string | undefined> {
  let directory: string
  try {
    await mkdir(root, { recursive: true, mode: 0o700 })
    directory = await mkdtemp(join(root, '.new-probe-'))
  } catch (error) {
    throw fileError(error, `cannot write to ${root}`)
  }
  try {
    return await runProbe(directory)
  } finally {
    await removeTree(directory)
  }
}

const script = `set -e
mkdir lower lower2 upper work merged
echo lower >lower/file; echo hidden >lower2/hidden; mknod lower/hidden c 0 0
mount -t overlay overlay -o lowerdir=lower:lower2,upperdir=upper,workdir=work,index=off,redirect_dir=nofollow,metacopy=off merged
test "$(cat merged/file)" = lower; test ! -e merged/hidden; echo x >merged/new; rm merged/file`

async function runProbe(directory: string): Promise<string | undefined> {
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 500)
  })
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  child.on('error', (error) => resolve(`cannot run unshare: ${error.message}`))
  child.on('close', (status) =>
    resolve(status === 0 ? undefined : said.trim() || 'overlay does not mount here'),
  )
  return promise
}
