/** Who `name[:group]` is, by the image's own files. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resolveUser } from '../../../../daemon/runtime/user.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
broken
:x:1:1::/:
app:x:1000:1001:App:/home/app:/bin/sh
1234:x:77:78::/numeric:
far:x:4294967295:0::/:
`
const group = `root:x:0:
app:x:1001:
wheel:x:10:root,app
audio:x:29:app
bad:x:x:app
`
const resolve = (user: string, groupAdd: string[] = []) => resolveUser({ user, groupAdd, passwd, group })

describe('a user', () => {
  test.each([
    ['', { uid: 0, gid: 0, additionalGids: [10], home: '/root' }],
    ['app', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    ['app:wheel', { uid: 1000, gid: 10, additionalGids: [], home: '/home/app' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [], home: '/' }],
    ['4242:4343', { uid: 4242, gid: 4343, additionalGids: [], home: '/' }],
    ['app:', { uid: 1000, gid: 1001, additionalGids: [10, 29], home: '/home/app' }],
    [':10', { uid: 0, gid: 10, additionalGids: [], home: '/root' }],
    ['1234', { uid: 77, gid: 78, additionalGids: [], home: '/numeric' }],
    ['2147483647', { uid: 2147483647, gid: 0, additionalGids: [], home: '/' }],
  ])('%j is %j', (user, expected) => {
    expect(resolve(user)).toEqual(expected)
  })

  test('is in the groups that were added, each once and not the first again', () => {
    expect(resolve('app', ['audio', '500', '10', '1001']).additionalGids).toEqual([10, 29, 500])
  })

  test('root needs no passwd file', () => {
    expect(resolveUser({ user: 'root', passwd: '', group: '' })).toMatchObject({ uid: 0, gid: 0 })
  })

  test.each([
    'nobody',
    'app:nogroup',
    'a:b:c',
    '4294967296',
    '4294967295',
    '2147483648',
    '-1',
    '+5',
    '0:-1',
    '0:2147483648',
    '99999999999999999999',
    'far',
    '1e3',
    '0x0',
    ' 0',
  ])('%j is refused', (user) => {
    expect(() => resolve(user)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  test('never becomes root unless root was named', () => {
    fc.assert(
      fc.property(fc.string(), (user) => {
        const name = user.split(':')[0] ?? ''
        if (name === '' || /^0+$/.test(name) || name === 'root') return
        let uid = -1
        try {
          uid = resolve(user).uid
        } catch {
          return
        }
        expect(uid).not.toBe(0)
      }),
    )
  })
})
