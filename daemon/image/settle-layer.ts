/**
 * Settles what a layer of overlay format could not know alone, once the layers below it are committed.
 *
 * 1. Directories the archive only implies take owner, mode, times and xattrs from what the layers below show there.
 * 2. A name the archive used as a directory may be a symbolic link below: then the files belong where it points. And a hard
 *    link's target may be below. Moving things afterwards could not know the order of the archive's entries; so the layer's
 *    directory is emptied, those links and files are planted in it as *seeds*, and the layer is extracted once more on top:
 *    the rules of `layer-tree.ts` then do the right thing by themselves. Seeds that did not become part of the layer are
 *    removed at its end. This is rare: archives written from file systems contain their parents.
 * 3. A layer that hides all of the root becomes whiteouts of every name the layers below show there: overlayfs has no mark
 *    for it.
 *
 * Runs in a child process and outside of any chroot. The names it walks are canonical (real directories all the way, made by
 * `layer-tree.ts` in a folder nobody else may enter), and layers below are looked up without following links.
 */
import * as fs from 'node:fs'
import { constants } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import {
  getXattr,
  listXattrs,
  mknod,
  removeXattr,
  S_IFCHR,
  setPathTimes,
  setXattr,
} from '../host/syscalls.ts'
import {
  type Found,
  layerPath,
  listMerged,
  lookupName,
  lookupResolved,
  readLink,
} from '../snapshot/lookup.ts'
import { showName } from './layer-entry.ts'
import { showLayer } from './layer-failure.ts'
import { joinPath, parentOf, removeAll } from './layer-paths.ts'
import type { LayerReport, Seed } from './layer-tree.ts'
import type { SettleJob, UnpackMessage } from './unpack-job.ts'

export function settleLayer(job: SettleJob): UnpackMessage {
  const report: LayerReport = JSON.parse(fs.readFileSync(job.reportFile, 'utf8'))
  const planted: Seed[] = fs.existsSync(job.seedsFile)
    ? JSON.parse(fs.readFileSync(job.seedsFile, 'utf8'))
    : []
  const known = new Set(planted.map((seed) => seed.path))
  process.umask(0)
  const wanted = new Set<string>()
  for (const path of report.assumed) for (const link of linksAt(job.lowers, path)) wanted.add(link)
  // A link that is not followed yet may lead the target elsewhere: then the next round asks again.
  if (wanted.size === 0) for (const path of report.missing) wanted.add(requireTarget(job, path))
  const fresh = [...wanted].filter((path) => !known.has(path))
  if (fresh.length > 0) {
    plant(job, [...known, ...fresh])
    return { type: 'settled', isComplete: false }
  }
  for (const path of report.implied) copyMetadata(job, path)
  if (report.isRootOpaque) hideRootContent(job)
  return { type: 'settled', isComplete: true }
}

/** The settling of a layer of which nothing but its root directory is open: a few calls, so no process is started for it. */
export function settleRoot(directory: string, lowers: readonly string[]): void {
  copyMetadata({ directory, lowers }, '')
}

/** The symbolic links that a name meets below, each by its canonical name: itself, and those its target leads through. */
function linksAt(lowers: readonly string[], path: string): string[] {
  const links: string[] = []
  for (let at: string | undefined = path; at !== undefined && links.length < 40; ) {
    const found: Found | undefined = lookupName(lowers, at)
    if (found?.kind !== 'symlink') break
    links.push(at)
    const target = readLink(lowers, found)
    const next: string = target.startsWith('/') ? target : joinPath(parentOf(at), target)
    at = lookupResolved(lowers, next, false)?.path
  }
  return links
}

function requireTarget(job: SettleJob, path: string): string {
  const found = lookupName(job.lowers, path)
  if (found !== undefined && found.kind !== 'directory') return path
  throw new KagoError(
    'corrupt',
    `${showLayer(job.layer)}: a hard link to ${showName(path)}, which is not a file of this layer or of those below`,
    { details: { layer: job.layer, entry: showName(path), rule: 'a hard link to a file that is not there' } },
  )
}

/** Empties the directory and copies the seeds into it from below. */
function plant(job: SettleJob, paths: readonly string[]): void {
  process.chdir(job.directory)
  for (const name of fs.readdirSync('.', 'latin1')) removeAll(name)
  for (const name of listXattrs('.')) if (name.startsWith('trusted.overlay.')) removeXattr('.', name)
  const seeds: Seed[] = []
  for (const path of paths) {
    const found = lookupName(job.lowers, path)
    if (found === undefined) continue
    const from = layerPath(job.lowers[found.layer] ?? '', found.path)
    const to = layerPath(job.directory, path)
    fs.mkdirSync(layerPath(job.directory, parentOf(path)), { recursive: true, mode: 0o755 })
    copyNode(from, to, found)
    copyAttributes(from, to, found.stats)
    seeds.push({ path, inode: String(fs.lstatSync(to, { bigint: true }).ino) })
  }
  fs.writeFileSync(job.seedsFile, JSON.stringify(seeds), { mode: 0o600 })
}

function copyNode(from: Buffer, to: Buffer, found: Found): void {
  const { stats } = found
  if (found.kind === 'symlink') return fs.symlinkSync(fs.readlinkSync(from, 'buffer'), to)
  if (found.kind === 'file')
    return fs.copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  mknod(to, stats.mode, deviceMajor(stats.rdev), deviceMinor(stats.rdev))
}

function deviceMajor(device: number): number {
  return Number((BigInt(device) >> 8n) & 0xfffn)
}

function deviceMinor(device: number): number {
  return Number((BigInt(device) & 0xffn) | ((BigInt(device) >> 12n) & 0xfff00n))
}

function copyMetadata(job: { directory: string; lowers: readonly string[] }, path: string): void {
  const found = lookupName(job.lowers, path)
  if (found?.kind !== 'directory') return
  const from = layerPath(job.lowers[found.layer] ?? '', found.path)
  copyAttributes(from, layerPath(job.directory, path), found.stats)
}

function copyAttributes(from: Buffer, to: Buffer, stats: fs.Stats): void {
  fs.lchownSync(to, stats.uid, stats.gid)
  if (!stats.isSymbolicLink()) fs.chmodSync(to, stats.mode & 0o7777)
  for (const name of listXattrs(from)) {
    if (name.startsWith('trusted.overlay.')) continue
    const value = getXattr(from, name)
    if (value !== undefined) setXattr(to, name, value)
  }
  const exact = fs.lstatSync(from, { bigint: true }).mtimeNs
  const nanoseconds = ((exact % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  setPathTimes(to, {
    seconds: Number((exact - nanoseconds) / 1_000_000_000n),
    nanoseconds: Number(nanoseconds),
  })
}

function hideRootContent(job: SettleJob): void {
  const root = fs.lstatSync(job.directory, { bigint: true })
  for (const name of listMerged(job.lowers, '')) {
    const at = layerPath(job.directory, name)
    const own = fs.lstatSync(at, { throwIfNoEntry: false })
    if (own === undefined) mknod(at, S_IFCHR, 0, 0)
    else if (own.isDirectory()) setXattr(at, 'trusted.overlay.opaque', Buffer.from('y'))
  }
  fs.utimesSync(job.directory, Number(root.atimeNs) / 1e9, Number(root.mtimeNs) / 1e9)
}
