/** Cgroup layouts and files, on trees made of ordinary directories. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type CgroupLayout,
  cgroupDirectories,
  cgroupLayout,
  isFrozen,
  listPids,
  readCpuUse,
  readMemoryUse,
  removeCgroup,
  writeControl,
} from '../../../../daemon/host/cgroup.ts'
import { parseMountInfo } from '../../../../daemon/host/mount-table.ts'

const tree = (target: string, type: string, options: string): string =>
  `30 22 0:25 / ${target} rw - ${type} ${type} ${options}\n`
const unified = tree('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate,memory_recursiveprot')
const legacy =
  tree('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory') +
  tree('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct')
const systemd = tree('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,release_agent=/x,name=systemd')

describe('the layout', () => {
  test('is v2 with the one tree', () => {
    expect(cgroupLayout(parseMountInfo(unified))).toMatchObject({
      kind: 'v2',
      version: 2,
      unified: '/sys/fs/cgroup',
    })
  })

  test('is v1 with a tree for each controller, two of which may share one', () => {
    const layout = cgroupLayout(parseMountInfo(legacy + systemd))
    expect(layout).toMatchObject({ kind: 'v1', version: 1 })
    expect([...(layout?.trees ?? [])].map(([name]) => name)).toEqual([
      'memory',
      'cpu',
      'cpuacct',
      'name=systemd',
    ])
    expect(cgroupDirectories(layout as CgroupLayout, '/kago/x')).toEqual([
      '/sys/fs/cgroup/memory/kago/x',
      '/sys/fs/cgroup/cpu,cpuacct/kago/x',
      '/sys/fs/cgroup/systemd/kago/x',
    ])
  })

  test('is hybrid with both, and nothing without any', () => {
    const both = legacy + tree('/sys/fs/cgroup/unified', 'cgroup2', 'rw')
    expect(cgroupLayout(parseMountInfo(both))).toMatchObject({
      kind: 'hybrid',
      version: 1,
      unified: '/sys/fs/cgroup/unified',
    })
    expect(cgroupLayout([])).toBeUndefined()
  })

  test('is v2 when the only v1 tree limits nothing', () => {
    expect(cgroupLayout(parseMountInfo(unified + systemd))).toMatchObject({ kind: 'v2', version: 2 })
  })
})

describe.each([1, 2] as const)('a group of version %i', (version) => {
  let root: string
  let layout: CgroupLayout
  const put = (controller: string, file: string, text: string): void => {
    const path = join(root, version === 1 ? controller : '', 'kago/a', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kago-test-cgroup-'))
    const names = ['memory', 'cpuacct', 'freezer', 'pids']
    layout =
      version === 2
        ? { kind: 'v2', version, unified: root, trees: new Map() }
        : { kind: 'v1', version, trees: new Map(names.map((name) => [name, join(root, name)])) }
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  test('tells its processes, those of groups below included', () => {
    put('freezer', 'cgroup.procs', '11\n12\n')
    put('freezer', 'below/cgroup.procs', '13\n')
    expect(listPids(layout, '/kago/a').toSorted((a, b) => a - b)).toEqual([11, 12, 13])
    expect(listPids(layout, '/kago/none')).toEqual([])
  })

  test('tells memory, with no limit said as none', () => {
    put('memory', version === 2 ? 'memory.current' : 'memory.usage_in_bytes', '4096\n')
    put('memory', version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes', '8192\n')
    put(
      'memory',
      version === 2 ? 'memory.max' : 'memory.limit_in_bytes',
      version === 2 ? 'max\n' : '9223372036854771712\n',
    )
    put('memory', version === 2 ? 'memory.events' : 'memory.oom_control', 'low 0\noom_kill 2\n')
    expect(readMemoryUse(layout, '/kago/a')).toEqual({ usageBytes: 4096, peakBytes: 8192, oomKills: 2 })
    expect(readMemoryUse(layout, '/kago/none')).toBeUndefined()
  })

  test('tells processor time in microseconds', () => {
    if (version === 2) put('cpu', 'cpu.stat', 'usage_usec 30\nuser_usec 20\nsystem_usec 10\n')
    else {
      put('cpuacct', 'cpuacct.usage', '30000\n')
      put('cpuacct', 'cpuacct.usage_user', '20000\n')
      put('cpuacct', 'cpuacct.usage_sys', '10000\n')
    }
    expect(readCpuUse(layout, '/kago/a')).toEqual({
      totalMicroseconds: 30,
      userMicroseconds: 20,
      systemMicroseconds: 10,
    })
    expect(readCpuUse(layout, '/kago/none')).toBeUndefined()
  })

  test('tells whether it is frozen', () => {
    put(
      'freezer',
      version === 2 ? 'cgroup.events' : 'freezer.state',
      version === 2 ? 'populated 1\nfrozen 1\n' : 'FROZEN\n',
    )
    expect(isFrozen(layout, '/kago/a')).toBe(true)
    put(
      'freezer',
      version === 2 ? 'cgroup.events' : 'freezer.state',
      version === 2 ? 'populated 1\nfrozen 0\n' : 'FREEZING\n',
    )
    expect(isFrozen(layout, '/kago/a')).toBe(false)
  })

  test('is removed with all below it, twice without harm, but never the root', async () => {
    for (const directory of cgroupDirectories(layout, '/kago/a/b/c'))
      mkdirSync(directory, { recursive: true })
    await removeCgroup(layout, '/kago/a')
    await removeCgroup(layout, '/kago/a')
    expect(cgroupDirectories(layout, '/kago').length).toBeGreaterThan(0)
    await expect(removeCgroup(layout, '/')).rejects.toMatchObject({ code: 'internal' })
  })
})

test('a control file that is not there is named', () => {
  expect(() => writeControl('/nonexistent/memory.max', '1')).toThrow(
    'there is no cgroup file /nonexistent/memory.max',
  )
})
