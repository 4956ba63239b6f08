/**
 * Makes the headers of a tar archive: ustar, and a PAX header before it where ustar has no room (long names, large numbers,
 * extended attributes). Pure: the caller writes header, content, padding, and at last the end.
 */
import type { EntryType, TarEntry } from './reader.ts'

/** What is written of an entry. Names are bytes, one per character (latin1); a directory's name ends in a slash. */
export type TarHeader = Omit<TarEntry, 'offset' | 'mtime' | 'xattrs' | 'linkName'> & {
  linkName?: string
  /** Whole seconds: what every tool reads. */
  mtimeSeconds: number
  xattrs?: ReadonlyMap<string, Buffer>
}

const letters: Readonly<Record<EntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}

const maxSize = 8 ** 11 - 1
const maxId = 8 ** 7 - 1

/** One block, or three and more with a PAX header. */
export function writeHeader(entry: TarHeader): Buffer {
  const { name, linkName = '', size, uid, gid, mtimeSeconds, xattrs } = entry
  const isLate = mtimeSeconds < 0 || mtimeSeconds > maxSize
  const isPlain =
    name.length <= 100 &&
    linkName.length <= 100 &&
    size <= maxSize &&
    uid <= maxId &&
    gid <= maxId &&
    !isLate &&
    (xattrs === undefined || xattrs.size === 0)
  if (isPlain) return block(entry, letters[entry.type])
  const records: Buffer[] = []
  if (name.length > 100) records.push(record('path', latin1(name)))
  if (linkName.length > 100) records.push(record('linkpath', latin1(linkName)))
  if (size > maxSize) records.push(record('size', latin1(String(size))))
  if (uid > maxId) records.push(record('uid', latin1(String(uid))))
  if (gid > maxId) records.push(record('gid', latin1(String(gid))))
  if (isLate) records.push(record('mtime', latin1(String(mtimeSeconds))))
  for (const [key, value] of xattrs ?? []) records.push(record(`SCHILY.xattr.${key}`, value))
  const body = Buffer.concat(records)
  const header = block(
    { ...entry, name: 'PaxHeaders/entry', linkName: '', size: body.length, mode: 0o644, mtimeSeconds: 0 },
    'x',
  )
  return Buffer.concat([header, body, paddingOf(body.length), block(entry, letters[entry.type])])
}

/** What follows a content of so many bytes. */
export function paddingOf(size: number): Buffer {
  return zeros.subarray(0, (512 - (size % 512)) % 512)
}

/** What follows the last entry. */
export const endOfArchive: Buffer = Buffer.alloc(1024)

const zeros = Buffer.alloc(512)

function block(entry: TarHeader, letter: string): Buffer {
  const header = Buffer.alloc(512)
  header.write(entry.name.slice(0, 100), 0, 'latin1')
  octal(header, 100, 8, entry.mode)
  octal(header, 108, 8, entry.uid > maxId ? 0 : entry.uid)
  octal(header, 116, 8, entry.gid > maxId ? 0 : entry.gid)
  octal(header, 124, 12, entry.size > maxSize ? 0 : entry.size)
  octal(header, 136, 12, Math.min(Math.max(entry.mtimeSeconds, 0), maxSize))
  header.write('        ', 148, 'latin1')
  header.write(letter, 156, 'latin1')
  header.write((entry.linkName ?? '').slice(0, 100), 157, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  octal(header, 329, 8, entry.major)
  octal(header, 337, 8, entry.minor)
  let sum = 0
  for (let index = 0; index < 512; index++) sum += header[index] ?? 0
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function octal(header: Buffer, offset: number, length: number, value: number): void {
  header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1')
}

/** `"%d %s=%s\n"`, where the number counts itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = 1 + key.length + 1 + value.length + 1
  let length = rest + String(rest).length
  if (rest + String(length).length > length) length = rest + String(length).length
  return Buffer.concat([latin1(`${length} ${key}=`), value, latin1('\n')])
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
