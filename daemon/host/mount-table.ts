/** What is mounted, as the kernel says it in /proc/PID/mountinfo. */
import { readFileSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

export interface MountEntry {
  id: number
  parentId: number
  /** `major:minor` of the filesystem. */
  device: string
  /** The directory of the filesystem that is mounted here. */
  root: string
  target: string
  options: string[]
  /** `shared:N`, `master:N`, … */
  propagation: string[]
  type: string
  source: string
  superOptions: string[]
}

/** proc(5): the number of optional fields varies, a single hyphen ends them; space, tab, newline and \ are octal. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [before, after] = splitOnce(line, ' - ')
    const [id, parentId, device, root, target, options, ...propagation] = before.split(' ')
    const [type, source, superOptions] = after.split(' ')
    entries.push({
      id: Number(id),
      parentId: Number(parentId),
      device: device ?? '',
      root: unescapeOctal(root ?? ''),
      target: unescapeOctal(target ?? ''),
      options: (options ?? '').split(','),
      propagation: propagation.filter((word) => word !== ''),
      type: type ?? '',
      source: unescapeOctal(source ?? ''),
      superOptions: (superOptions ?? '').split(','),
    })
  }
  return entries
}

/** The mounts that a process sees; the daemon's own without `pid`. */
export function readMountTable(pid: number | 'self' = 'self'): MountEntry[] {
  const path = `/proc/${pid}/mountinfo`
  try {
    return parseMountInfo(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new KagoError('not_found', `${path} cannot be read: the process has gone`, { cause: error })
  }
}

/** Mounts at or below a directory, the deepest first, as they have to be undone. */
export function mountsBelow(table: readonly MountEntry[], directory: string): MountEntry[] {
  return table
    .filter(({ target }) => target === directory || target.startsWith(`${directory}/`))
    .toSorted((a, b) => b.target.length - a.target.length || b.id - a.id)
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}
