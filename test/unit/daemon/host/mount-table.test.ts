/** Reading mountinfo. */
import { expect, test } from 'vitest'
import { mountsBelow, parseMountInfo, readMountTable } from '../../../../daemon/host/mount-table.ts'

const text = String.raw`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /sys/fs/cgroup rw shared:2 master:3 - cgroup2 cgroup2 rw,nsdelegate
31 22 0:26 /a\040b /mnt/with\040space\134 ro - tmpfs my\011fs rw,size=1k
32 31 0:27 / /mnt/with\040space\134/below rw - tmpfs t rw
`

test('fields, optional fields and octal escapes', () => {
  const table = parseMountInfo(text)
  expect(table).toHaveLength(4)
  expect(table[1]).toMatchObject({
    type: 'cgroup2',
    propagation: ['shared:2', 'master:3'],
    superOptions: ['rw', 'nsdelegate'],
  })
  expect(table[2]).toMatchObject({
    root: '/a b',
    target: '/mnt/with space\\',
    source: 'my\tfs',
    propagation: [],
  })
})

test('what lies below comes before what it lies on', () => {
  const found = mountsBelow(parseMountInfo(text), '/mnt/with space\\')
  expect(found.map(({ id }) => id)).toEqual([32, 31])
  expect(mountsBelow(parseMountInfo(text), '/mnt/with')).toEqual([])
})

test('the own table has a root', () => {
  expect(readMountTable().some(({ target }) => target === '/')).toBe(true)
})
