/** Where a shim is moved out of the daemon's service. */
import { expect, test } from 'vitest'
import { unitTrees } from '../../../../daemon/container/leave-unit.ts'
import type { CgroupLayout } from '../../../../daemon/host/cgroup.ts'

const v2: CgroupLayout = { kind: 'v2', version: 2, unified: '/sys/fs/cgroup', trees: new Map() }
const hybrid: CgroupLayout = {
  kind: 'hybrid',
  version: 1,
  unified: '/sys/fs/cgroup/unified',
  trees: new Map([
    ['memory', '/sys/fs/cgroup/memory'],
    ['name=systemd', '/sys/fs/cgroup/systemd'],
  ]),
}

test('a service of a machine with cgroup v2 is left in the one tree', () => {
  expect(unitTrees(v2, '0::/system.slice/kagod.service\n')).toEqual(['/sys/fs/cgroup'])
})

test('a service of a hybrid machine is left where systemd looks, not where its limits are', () => {
  const membership =
    '4:memory:/system.slice/kagod.service\n1:name=systemd:/system.slice/kagod.service\n0::/system.slice/a:b\n'
  expect(unitTrees(hybrid, membership)).toEqual(['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'])
})

test('a daemon that is in no service has nothing to be left', () => {
  expect(unitTrees(v2, '0::/\n')).toEqual([])
  expect(unitTrees(hybrid, '4:memory:/some/limit\n1:name=systemd:/\n0::/\n')).toEqual([])
  expect(unitTrees({ kind: 'v1', version: 1, trees: new Map() }, '0::/x\n')).toEqual([])
})
