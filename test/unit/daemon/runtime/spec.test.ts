/** What `buildSpec` decides, decision by decision. */
import { describe, expect, test } from 'vitest'
import type { RuntimeSpec } from '../../../../shared/oci/runtime-spec.ts'
import { buildSpec } from '../../../../daemon/runtime/spec.ts'
import type { RunOptions } from '../../../../daemon/runtime/run-options.ts'
import { noRlimit } from '../../../../daemon/runtime/spec/rlimits.ts'
import { input, machine } from './input.ts'

const build = (...asked: Parameters<typeof input>) => buildSpec(input(...asked))
const refused = (...asked: Parameters<typeof input>) => {
  try {
    build(...asked)
  } catch (error) {
    return error
  }
  return undefined
}

describe('the command', () => {
  test.each<[string, Partial<RunOptions>, string[] | undefined, string[] | undefined, string[]]>([
    ['the image’s entrypoint and Cmd', {}, ['/entry'], ['a', 'b'], ['/entry', 'a', 'b']],
    ['asked words instead of Cmd', { command: ['x'] }, ['/entry'], ['a'], ['/entry', 'x']],
    ['an asked entrypoint without the image’s Cmd', { entrypoint: ['/e'] }, ['/entry'], ['a'], ['/e']],
    [
      'an asked entrypoint with asked words',
      { entrypoint: ['/e'], command: ['x'] },
      ['/entry'],
      ['a'],
      ['/e', 'x'],
    ],
    ['no entrypoint when it is reset', { entrypoint: [''], command: ['x'] }, ['/entry'], ['a'], ['x']],
    ['empty words', { command: ['echo', '', ' '] }, undefined, undefined, ['echo', '', ' ']],
  ])('is %s', (_, options, Entrypoint, Cmd, args) => {
    const imageConfig = { ...(Entrypoint && { Entrypoint }), ...(Cmd && { Cmd }) }
    expect(build(options, { imageConfig }).process.args).toEqual(args)
  })

  test.each([
    [{}, {}],
    [{ entrypoint: [''] }, { Cmd: ['a'] }],
    [{ command: [''] }, {}],
    [{ command: ['a\0b'] }, {}],
  ])('is refused when there is none, or one that cannot be (%#)', (options, imageConfig) => {
    expect(refused(options, { imageConfig })).toMatchObject({ code: 'invalid_argument' })
  })

  test('comes after kago-init when that is asked for', () => {
    const spec = build({ init: true, command: ['sleep', '1'] }, { initPath: '/lib/kago-init' })
    expect(spec.process.args).toEqual(['/dev/kago-init', '--', 'sleep', '1'])
    expect(spec.mounts.at(-1)).toMatchObject({ destination: '/dev/kago-init', source: '/lib/kago-init' })
  })
})

describe('the environment', () => {
  test('has PATH, HOSTNAME, TERM, then the image’s and the asked, then HOME, a later value in the earlier’s place', () => {
    const spec = build(
      { terminal: true, env: ['A=2', 'B=3', 'GONE'] },
      {
        imageConfig: { Cmd: ['x'], Env: ['PATH=/p', 'A=1', 'GONE=1'] },
        user: { uid: 1, gid: 1, additionalGids: [], home: '/h' },
      },
    )
    expect(spec.process.env).toEqual([
      'PATH=/p',
      'HOSTNAME=0123456789ab',
      'TERM=xterm',
      'A=2',
      'B=3',
      'HOME=/h',
    ])
  })

  test('keeps a HOME that is set, and names that objects have too', () => {
    expect(build({ env: ['HOME=/x', '__proto__=1'] }).process.env).toEqual(
      expect.arrayContaining(['HOME=/x', '__proto__=1']),
    )
  })

  test.each(['=x', '', 'A=b\0c'])('refuses %j', (entry) => {
    expect(refused({ env: [entry] })).toMatchObject({ code: 'invalid_argument' })
  })
})

describe('the working directory', () => {
  test.each([
    ['/a/../b//c/', '/b/c'],
    ['/', '/'],
    ['/proc', '/proc'],
  ])('%s is %s', (workingDir, cwd) => {
    expect(build({ workingDir }).process.cwd).toBe(cwd)
  })

  test.each([
    'relative',
    '/proc/self/fd/7',
    '/proc/self/fd/../fd/8/..',
    '/proc/1/root',
    '/dev/fd/9',
    '/proc/thread-self/cwd',
    '/a\0',
  ])('%j is refused', (workingDir) => {
    expect(refused({}, { imageConfig: { Cmd: ['x'], WorkingDir: workingDir } })).toMatchObject({
      code: 'invalid_argument',
    })
  })
})

describe('the mounts', () => {
  const destinations = (options: Partial<RunOptions>): string[] =>
    build(options).mounts.map((mount) => mount.destination)

  test('are the kernel’s, then the asked for, parents first, and then the files in /etc', () => {
    const mounts = [
      { type: 'bind' as const, source: '/s', target: '/a/b/c' },
      { type: 'bind' as const, source: '/s', target: '/a' },
    ]
    expect(destinations({ mounts })).toEqual([
      '/proc',
      '/dev',
      '/dev/pts',
      '/sys',
      '/sys/fs/cgroup',
      '/dev/mqueue',
      '/dev/shm',
      '/a',
      '/a/b/c',
      '/etc/resolv.conf',
      '/etc/hostname',
      '/etc/hosts',
    ])
  })

  test('leave a read-only /etc as it is brought, and put their files into another', () => {
    const mount = { type: 'bind' as const, source: '/s', target: '/etc' }
    expect(destinations({ mounts: [mount] }).slice(-2)).toEqual(['/etc/hostname', '/etc/hosts'])
    expect(destinations({ mounts: [{ ...mount, readOnly: true }] }).at(-1)).toBe('/etc')
  })

  test('take the place of a default at the same target', () => {
    const spec = build({ mounts: [{ type: 'bind', source: '/s', target: '/dev/shm/' }] })
    expect(spec.mounts.filter(({ destination }) => destination === '/dev/shm')).toEqual([
      { destination: '/dev/shm', type: 'bind', source: '/s', options: ['rbind', 'rprivate'] },
    ])
  })

  test('are read-only all the way down where the kernel can', () => {
    const mounts = [{ type: 'bind' as const, source: '/s', target: '/t', readOnly: true }]
    const optionsOf = ({ mounts }: RuntimeSpec) =>
      mounts.find(({ destination }) => destination === '/t')?.options
    expect(optionsOf(build({ mounts }))).toEqual(['rbind', 'rprivate', 'ro', 'rro'])
    expect(optionsOf(build({ mounts }, { host: { ...machine, recursiveReadOnly: false } }))).toEqual([
      'rbind',
      'rprivate',
      'ro',
    ])
  })

  test.each(['/proc', '/proc/sys', '/dev/../proc/self', '/', '//', 'relative', '/..', '/a\0b'])(
    'refuse the target %j',
    (target) => {
      expect(refused({ mounts: [{ type: 'bind', source: '/s', target }] })).toMatchObject({
        code: 'invalid_argument',
      })
      expect(refused({ tmpfs: [{ target, options: '' }] })).toMatchObject({ code: 'invalid_argument' })
    },
  )

  test.each(['suid,lowerdir=/x', 'size=1m,,', 'size=$(x)', 'context=a'])(
    'refuse the tmpfs options %j',
    (options) => {
      expect(refused({ tmpfs: [{ target: '/t', options }] })).toMatchObject({ code: 'invalid_argument' })
    },
  )

  test('refuse one target twice and a relative source', () => {
    const bind = { type: 'bind' as const, source: '/s', target: '/t' }
    expect(refused({ mounts: [bind], tmpfs: [{ target: '/t/', options: '' }] })).toMatchObject({
      message: 'two mounts have the target /t',
    })
    expect(refused({ mounts: [{ ...bind, source: 's' }] })).toMatchObject({ code: 'invalid_argument' })
  })

  test('ask for an open root when one of them is shared or slave', () => {
    const bind = (propagation: 'rshared' | 'slave' | 'private') =>
      build({ mounts: [{ type: 'bind', source: '/s', target: '/t', propagation }] }).linux.rootfsPropagation
    expect([bind('rshared'), bind('slave'), bind('private')]).toEqual(['shared', 'rslave', undefined])
  })
})

describe('namespaces, names and parameters', () => {
  test('the cgroup namespace is the container’s own with v2 only, the network unless it is the host’s', () => {
    const types = (...asked: Parameters<typeof input>) =>
      build(...asked).linux.namespaces.map(({ type }) => type)
    expect(types()).toEqual(['mount', 'uts', 'pid', 'ipc', 'network', 'cgroup'])
    expect(types({}, { networkMode: 'host', host: { ...machine, cgroupVersion: 1 } })).toEqual([
      'mount',
      'uts',
      'pid',
      'ipc',
    ])
    expect(build({}, { networkMode: { path: '/run/netns/x' } }).linux.namespaces).toContainEqual({
      type: 'network',
      path: '/run/netns/x',
    })
  })

  test.each(['-a', 'a b', 'a\n', 'x'.repeat(64), 'ä'])('the hostname %j is refused', (hostname) => {
    expect(refused({ hostname })).toMatchObject({ code: 'invalid_argument' })
  })

  test('parameters of the whole machine are refused, and those of the network when it is the host’s', () => {
    expect(refused({ sysctls: { 'kernel.panic': '1' } })).toMatchObject({ code: 'invalid_argument' })
    expect(refused({ sysctls: { 'net.ipv4.ip_forward': '1' } }, { networkMode: 'host' })).toMatchObject({
      code: 'invalid_argument',
    })
    expect(refused({ sysctls: { 'net.../../kernel.panic': '1' } })).toMatchObject({
      code: 'invalid_argument',
    })
    expect(
      build({ sysctls: { 'kernel.shmmax': '1', 'net.ipv4.ping_group_range': '0 1' } }).linux.sysctl,
    ).toEqual({
      'kernel.shmmax': '1',
      'net.ipv4.ping_group_range': '0 1',
      'net.ipv4.ip_unprivileged_port_start': '0',
    })
  })
})

describe('resources', () => {
  const resources = (asked: RunOptions['resources'], host = machine) =>
    build({ resources: asked }, { host }).linux.resources
  const problem = (asked: RunOptions['resources'], host = machine) => refused({ resources: asked }, { host })

  test('swap is as much as memory unless said, none when equal, unlimited with -1', () => {
    const memoryBytes = 64 * 2 ** 20
    expect(resources({ memoryBytes })?.memory).toEqual({ limit: memoryBytes, swap: 2 * memoryBytes })
    expect(resources({ memoryBytes, memorySwapBytes: memoryBytes })?.memory).toEqual({
      limit: memoryBytes,
      swap: memoryBytes,
    })
    expect(resources({ memoryBytes, memorySwapBytes: -1 })?.memory).toEqual({ limit: memoryBytes, swap: -1 })
    expect(resources({ memoryBytes }, { ...machine, swapAccounting: false })?.memory).toEqual({
      limit: memoryBytes,
    })
  })

  test('CPUs become a quota of a tenth of a second', () => {
    expect(resources({ nanoCpus: 1_500_000_000 })?.cpu).toEqual({ quota: 150_000, period: 100_000 })
  })

  test.each<RunOptions['resources']>([
    { memoryBytes: 1024 },
    { memorySwapBytes: 1e9 },
    { memoryBytes: 1e8, memorySwapBytes: 1e7 },
    { nanoCpus: 5e9 },
    { nanoCpus: 1 },
    { cpuShares: 1 },
    { cpusetCpus: '0-9' },
    { cpusetCpus: '0; reboot' },
    { blkioWeight: 5 },
    { pidsLimit: 1.5 },
  ])('%j is refused', (asked) => {
    expect(problem(asked)).toMatchObject({ code: 'invalid_argument' })
  })

  test('no limit of processes is -1 or 0', () => {
    expect([resources({ pidsLimit: 0 })?.pids, resources({ pidsLimit: -1 })?.pids]).toEqual([
      { limit: -1 },
      { limit: -1 },
    ])
  })

  test('ulimits have their names checked and -1 is no limit', () => {
    const spec = build({ ulimits: [{ name: 'nofile', soft: 1024, hard: -1 }] })
    expect(spec.process.rlimits).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1024, hard: noRlimit }])
    expect(refused({ ulimits: [{ name: 'nofiles', soft: 1, hard: 1 }] })).toMatchObject({
      hint: 'did you mean nofile?',
    })
    expect(refused({ ulimits: [{ name: 'core', soft: 2, hard: 1 }] })).toMatchObject({
      code: 'invalid_argument',
    })
  })
})

describe('power', () => {
  test('is Docker’s fourteen capabilities for root, none but the bound for others, and never inheritable', () => {
    const root = build().process.capabilities
    expect(root?.bounding).toHaveLength(14)
    expect(root).toEqual({ bounding: root?.bounding, effective: root?.bounding, permitted: root?.bounding })
    const user = build({}, { user: { uid: 7, gid: 7, additionalGids: [] } }).process.capabilities
    expect(user).toEqual({ bounding: root?.bounding })
  })

  test.each<[string[], string[], string[]]>([
    [['net_admin'], ['ALL'], ['CAP_NET_ADMIN']],
    [['CAP_SYS_TIME'], ['cap_sys_time', 'all'], ['CAP_SYS_TIME']],
    [[], ['ALL'], []],
  ])('adding %j and dropping %j leaves %j', (capAdd, capDrop, held) => {
    expect(build({ capAdd, capDrop }).process.capabilities?.bounding).toEqual(held)
  })

  test('ALL without one is all but one', () => {
    const held = build({ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }).process.capabilities?.bounding
    expect(held).toHaveLength(machine.capabilities.length - 1)
    expect(held).not.toContain('CAP_SYS_ADMIN')
  })

  test('a name that does not exist suggests the nearest, one that the daemon lacks is not supported', () => {
    expect(refused({ capAdd: ['NET_ADMN'] })).toMatchObject({
      code: 'invalid_argument',
      hint: 'did you mean NET_ADMIN?',
    })
    expect(
      refused({ capAdd: ['SYS_TIME'] }, { host: { ...machine, capabilities: ['CAP_CHOWN'] } }),
    ).toMatchObject({ code: 'not_supported' })
  })

  test('privileged takes away masks, filters and device rules', () => {
    const spec = build({ privileged: true })
    expect(spec.linux).toMatchObject({
      maskedPaths: [],
      readonlyPaths: [],
      resources: { devices: [{ allow: true, access: 'rwm' }] },
    })
    expect(spec.linux.seccomp).toBeUndefined()
    expect(spec.mounts.find(({ destination }) => destination === '/sys')?.options).toContain('rw')
  })

  test('hides what tells of other containers, and this machine’s thermal counters', () => {
    expect(build().linux.maskedPaths).toEqual(
      expect.arrayContaining([
        '/proc/interrupts',
        '/sys/devices/virtual/powercap',
        '/proc/kcore',
        ...machine.thermalThrottlePaths,
      ]),
    )
  })

  test('a device is made and allowed with the permissions asked for', () => {
    const device = {
      path: '/dev/fuse',
      type: 'c' as const,
      major: 10,
      minor: 229,
      fileMode: 0o666,
      uid: 0,
      gid: 0,
      access: 'rw',
    }
    const spec = build({}, { devices: [device] })
    expect(spec.linux.devices).toEqual([
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
    ])
    expect(spec.linux.resources?.devices).toContainEqual({
      allow: true,
      type: 'c',
      major: 10,
      minor: 229,
      access: 'rw',
    })
    expect(spec.linux.resources?.devices?.[0]).toEqual({ allow: false, access: 'rwm' })
  })

  test('an AppArmor profile needs a kernel with AppArmor', () => {
    expect(refused({ securityOpt: { apparmor: 'p' } })).toMatchObject({ code: 'not_supported' })
    expect(
      build({ securityOpt: { apparmor: 'p' } }, { host: { ...machine, apparmorEnabled: true } }).process
        .apparmorProfile,
    ).toBe('p')
  })
})

test('the same input gives the same spec, and the input is not changed', () => {
  const one = input({ command: ['x'], env: ['A=1'] })
  const before = structuredClone(one)
  expect(buildSpec(one)).toEqual(buildSpec(one))
  expect(one).toEqual(before)
})
