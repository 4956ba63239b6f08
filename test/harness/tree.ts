/** Says what a tree is, one line a name, so that two trees can be compared and a difference can be read. */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { getXattr, listXattrs } from '../../daemon/host/syscalls.ts'

/** Each name (latin1, relative, '.' the root) → type, mode, owner, mtime in ns, content or target, xattrs, links. */
export function describeTree(root: string, options: { times?: boolean } = {}): Record<string, string> {
  const tree: Record<string, string> = {}
  const visit = (name: string) => {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')])
    tree[name] = describe(path, options.times ?? true)
    if (fs.lstatSync(path).isDirectory())
      for (const child of fs.readdirSync(path, 'latin1')) visit(name === '.' ? child : `${name}/${child}`)
  }
  visit('.')
  return tree
}

/** The names and what they are, nothing else. */
export function showTree(root: string): Record<string, string> {
  const full = describeTree(root, { times: false })
  return Object.fromEntries(
    Object.entries(full).map(([name, text]) => [name, text.replace(/ .*?\| ?/, ' ').trim()]),
  )
}

function describe(path: Buffer, times: boolean): string {
  const stats = fs.lstatSync(path, { bigint: true })
  const owner = `${stats.uid}:${stats.gid}`
  const parts = [kind(stats), (Number(stats.mode) & 0o7777).toString(8), owner]
  if (times) parts.push(String(stats.mtimeNs))
  if (stats.isFile()) parts.push(`links=${stats.nlink}`)
  for (const name of listXattrs(path).sort()) parts.push(`${name}=${getXattr(path, name)?.toString('hex')}`)
  parts.push('|')
  if (stats.isSymbolicLink()) parts.push(fs.readlinkSync(path, 'latin1'))
  if (stats.isFile()) parts.push(content(path, stats.size))
  if (stats.isCharacterDevice() || stats.isBlockDevice()) parts.push(String(stats.rdev))
  return parts.join(' ')
}

function content(path: Buffer, size: bigint): string {
  const bytes = fs.readFileSync(path)
  return size <= 64n ? bytes.toString('latin1') : createHash('sha256').update(bytes).digest('hex')
}

function kind(stats: fs.BigIntStats): string {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isFIFO()) return 'fifo'
  if (stats.isSocket()) return 'socket'
  return stats.isCharacterDevice() ? 'character' : 'block'
}
