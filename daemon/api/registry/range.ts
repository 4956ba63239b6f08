/** The part of a blob that a request asks for. RFC 9110, section 14.1.2. */

/** Up to, not including, `end`. */
export interface Part {
  start: number
  end: number
}

/**
 * Undefined for the whole: no header, one that is not understood, or several parts at once, which a server may leave be.
 * @returns `none` when there is no such part
 */
export function parseRange(header: string | undefined, size: number): Part | 'none' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Number(last)
    return length === 0 || size === 0 ? 'none' : { start: Math.max(0, size - length), end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(size, Number(last) + 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'none' : { start, end }
}
