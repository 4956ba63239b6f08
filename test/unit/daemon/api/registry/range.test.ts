import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../../../daemon/api/registry/range.ts'

describe('a range', () => {
  it.each([
    ['bytes=0-9', { start: 0, end: 10 }],
    ['bytes=99-', { start: 99, end: 100 }],
    ['bytes=90-1000', { start: 90, end: 100 }],
    ['bytes=-5', { start: 95, end: 100 }],
    ['bytes=-500', { start: 0, end: 100 }],
    ['bytes=100-', 'none'],
    ['bytes=999999999999999-', 'none'],
    ['bytes=-0', 'none'],
    ['bytes=9-3', undefined],
    ['bytes=-', undefined],
    ['bytes=1-2,4-5', undefined],
    ['bytes=a-b', undefined],
    ['bytes=9999999999999999-', undefined],
    ['lines=1-2', undefined],
    [undefined, undefined],
  ])('%s of a hundred bytes', (header, part) => {
    expect(parseRange(header, 100)).toEqual(part)
  })

  it('of nothing is none', () => {
    expect(parseRange('bytes=0-', 0)).toBe('none')
    expect(parseRange('bytes=-1', 0)).toBe('none')
  })
})
