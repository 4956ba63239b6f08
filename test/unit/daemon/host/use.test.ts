import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CgroupLayout } from '../../../../daemon/host/cgroup.ts'
import { readGroupBlockIo, readGroupMemory, readGroupPids } from '../../../../daemon/host/cgroup-use.ts'
import { parseNetDev } from '../../../../daemon/host/network-use.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kago-use-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

/** A tree with the files of one group. */
function tree(name: string, files: Record<string, string>): string {
  mkdirSync(join(root, name, 'g'), { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, 'g', file), text)
  return join(root, name)
}

test('cgroup v2: memory without inactive files, bytes of all devices, processes', () => {
  const unified = tree('v2', {
    'memory.current': '1000000\n',
    'memory.max': 'max\n',
    'memory.stat': 'anon 5\nfile 900000\ninactive_file 400000\nactive_file 500000\n',
    'io.stat':
      '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=7 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1\n',
    'pids.current': '7\n',
  })
  const layout: CgroupLayout = { kind: 'v2', version: 2, unified, trees: new Map() }
  expect(readGroupMemory(layout, '/g')).toEqual({ usedBytes: 600_000 })
  expect(readGroupBlockIo(layout, '/g')).toEqual({ readBytes: 101, writtenBytes: 202 })
  expect(readGroupPids(layout, '/g')).toBe(7)
})

test('cgroup v1: the same from its own files', () => {
  const trees = new Map([
    [
      'memory',
      tree('memory', {
        'memory.usage_in_bytes': '1000',
        'memory.limit_in_bytes': '4096',
        'memory.stat': 'inactive_file 1\ntotal_inactive_file 300\n',
      }),
    ],
    [
      'blkio',
      tree('blkio', {
        'blkio.throttle.io_service_bytes': '8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n8:16 Read 1\nTotal 31\n',
      }),
    ],
    ['pids', tree('pids', { 'pids.current': '3' })],
  ])
  const layout: CgroupLayout = { kind: 'v1', version: 1, trees }
  expect(readGroupMemory(layout, '/g')).toEqual({ usedBytes: 700, limitBytes: 4096 })
  expect(readGroupBlockIo(layout, '/g')).toEqual({ readBytes: 11, writtenBytes: 20 })
  expect(readGroupPids(layout, '/g')).toBe(3)
})

test('more cache than use, as the kernel may count for a moment, is not a negative use', () => {
  const unified = tree('v2', { 'memory.current': '100', 'memory.stat': 'inactive_file 400' })
  expect(readGroupMemory({ kind: 'v2', version: 2, unified, trees: new Map() }, '/g')?.usedBytes).toBe(100)
})

test('a group that has gone uses nothing that is known', () => {
  const layout: CgroupLayout = { kind: 'v2', version: 2, unified: root, trees: new Map() }
  expect(readGroupMemory(layout, '/gone')).toBeUndefined()
  expect(readGroupBlockIo(layout, '/gone')).toBeUndefined()
  expect(readGroupPids(layout, '/gone')).toBeUndefined()
})

test('the bytes of all interfaces but loopback are added up', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     900       9    0    0    0     0          0         0      900       9    0    0    0     0       0          0
  eth0:    1000      10    0    0    0     0          0         0     2000      20    0    0    0     0       0          0
eth1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
`
  expect(parseNetDev(text)).toEqual({ receivedBytes: 1005, sentBytes: 2007 })
})
