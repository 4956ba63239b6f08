/** The fields of a tar header: octal and base-256 numbers, NUL-terminated text, the checksum. POSIX.1-1988 ustar and GNU. */

/** The bytes are no tar archive, or none that kago reads. Carries where, and which entry if its name is known. */
export class TarError extends Error {
  override readonly name = 'TarError'
  readonly offset: number
  /** The entry's name, latin1. */
  readonly entry: string | undefined

  constructor(message: string, offset: number, entry?: string) {
    super(message)
    this.offset = offset
    this.entry = entry
  }
}

/** Bytes up to the first NUL, one character each. */
export function readText(block: Buffer, start: number, length: number): string {
  const end = start + length
  const zero = block.indexOf(0, start)
  return block.toString('latin1', start, zero === -1 || zero > end ? end : zero)
}

/**
 * A number: octal digits between spaces and NULs, or base-256 (first bit set) as GNU writes what does not fit.
 * Only `mtime` may be negative. @throws TarError on garbage and on what a JavaScript number cannot hold.
 */
export function readNumber(
  block: Buffer,
  start: number,
  length: number,
  field: string,
  offset: number,
): number {
  const first = block[start] ?? 0
  if (first >= 0x80) return readBase256(block.subarray(start, start + length), field, offset)
  let value = 0
  let at = start
  const end = start + length
  while (at < end && isBlank(block[at])) at++
  for (; at < end && !isBlank(block[at]); at++) {
    const digit = (block[at] ?? 0) - 48
    if (digit < 0 || digit > 7) throw new TarError(`the ${field} of a header is no number`, offset)
    value = value * 8 + digit
  }
  for (; at < end; at++)
    if (!isBlank(block[at])) throw new TarError(`the ${field} of a header is no number`, offset)
  return value
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0 || byte === 32
}

function readBase256(bytes: Buffer, field: string, offset: number): number {
  const negative = (bytes[0] ?? 0) >= 0xc0
  let value = BigInt(`0x${bytes.toString('hex')}`)
  if (negative) value -= 1n << BigInt(8 * bytes.length)
  else value -= 1n << BigInt(8 * bytes.length - 1)
  if (negative && field !== 'mtime') throw new TarError(`the ${field} of a header is negative`, offset)
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new TarError(`the ${field} of a header is too large`, offset)
  return number
}

/** The sum of all bytes with the checksum's own taken as spaces; some old tars summed them as signed. */
export function isChecksumRight(block: Buffer): boolean {
  let sum = 256
  let signed = 256
  for (let index = 0; index < 512; index++) {
    if (index === 148) index = 156
    const byte = block[index] ?? 0
    sum += byte
    signed += byte > 127 ? byte - 256 : byte
  }
  const stated = Number.parseInt(
    block
      .toString('latin1', 148, 156)
      .replace(/[\0 ]+/g, ' ')
      .trim(),
    8,
  )
  return stated === sum || stated === signed
}
