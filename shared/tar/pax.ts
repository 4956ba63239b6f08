/** A PAX extended header: records `"%d %s=%s\n"` of which kago takes names, numbers, times and extended attributes. */
import { TarError } from './fields.ts'

export interface Pax {
  path?: string
  linkPath?: string
  size?: number
  uid?: number
  gid?: number
  mtime?: { seconds: number; nanoseconds: number }
  xattrs?: Map<string, Buffer>
  isSparse?: boolean
}

const xattrPrefix = 'SCHILY.xattr.'

/** @throws TarError if the records are not as POSIX has them: lengths that do not fit, no `=`, a number that is none. */
export function parsePax(bytes: Buffer, offset: number): Pax {
  const pax: Pax = {}
  for (let at = 0; at < bytes.length; ) {
    const { key, value, next } = readRecord(bytes, at, offset)
    if (value.length > 0) applyRecord(pax, key, value, offset + at)
    at = next
  }
  return pax
}

function readRecord(
  bytes: Buffer,
  start: number,
  offset: number,
): { key: string; value: Buffer; next: number } {
  const space = bytes.indexOf(32, start)
  const digits = space === -1 ? '' : bytes.toString('latin1', start, Math.min(space, start + 12))
  const next = start + Number(/^[0-9]{1,8}$/.test(digits) ? digits : Number.NaN)
  const equals = bytes.indexOf(61, space)
  if (
    !(next <= bytes.length) ||
    bytes[next - 1] !== 10 ||
    equals === -1 ||
    equals >= next - 1 ||
    space >= equals
  )
    throw new TarError('a record of an extended header is malformed', offset + start)
  return {
    key: bytes.toString('latin1', space + 1, equals),
    value: bytes.subarray(equals + 1, next - 1),
    next,
  }
}

function applyRecord(pax: Pax, key: string, value: Buffer, offset: number): void {
  const text = () => value.toString('latin1', 0, value.length)
  switch (key) {
    case 'path':
      pax.path = text()
      break
    case 'linkpath':
      pax.linkPath = text()
      break
    case 'size':
      pax.size = decimal(text(), key, offset)
      break
    case 'uid':
      pax.uid = decimal(text(), key, offset)
      break
    case 'gid':
      pax.gid = decimal(text(), key, offset)
      break
    case 'mtime':
      pax.mtime = time(text(), offset)
      break
    default:
      if (key.startsWith(xattrPrefix)) {
        pax.xattrs ??= new Map()
        pax.xattrs.set(key.slice(xattrPrefix.length), value)
      } else if (key.startsWith('GNU.sparse.')) pax.isSparse = true
  }
}

function decimal(text: string, key: string, offset: number): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value))
    throw new TarError(`the ${key} of an extended header is no number`, offset)
  return value
}

/** `seconds[.fraction]`, possibly negative; the fraction is cut to nanoseconds. */
function time(text: string, offset: number): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text)
  if (match === null) throw new TarError('the mtime of an extended header is no time', offset)
  const [, sign, whole, fraction = ''] = match
  const seconds = Number(whole)
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'))
  if (sign !== '-') return { seconds, nanoseconds }
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
}
