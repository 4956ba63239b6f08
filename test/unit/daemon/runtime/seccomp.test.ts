/** The default filter held against a Docker-format profile, and the conversion of such profiles. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Seccomp } from '../../../../shared/oci/runtime-spec.ts'
import { defaultFilter } from '../../../../daemon/runtime/seccomp/default-filter.ts'
import { convertDockerProfile } from '../../../../daemon/runtime/seccomp/docker-format.ts'
import type { FilterFacts } from '../../../../daemon/runtime/seccomp/facts.ts'
import { defaultCapabilities } from '../../../../daemon/runtime/spec/capabilities.ts'

const facts: FilterFacts = {
  capabilities: defaultCapabilities,
  architecture: 'x64',
  kernelVersion: '6.1',
  with32Bit: false,
}

function allowed(filter: Seccomp): Set<string> {
  const rules = (filter.syscalls ?? []).filter(
    ({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined,
  )
  return new Set(rules.flatMap(({ names }) => names))
}

describe('the default filter', () => {
  test('allows without condition none of the calls that reach past a container', () => {
    const calls = allowed(defaultFilter(facts))
    const forbidden =
      'mount umount2 unshare setns clone clone3 bpf perf_event_open keyctl add_key request_key userfaultfd io_uring_setup io_uring_enter io_uring_register kexec_load kexec_file_load init_module finit_module delete_module pivot_root swapon swapoff reboot settimeofday clock_settime open_by_handle_at ioperm iopl acct quotactl syslog vhangup fsopen fsmount move_mount open_tree mount_setattr socket personality nfsservctl sysfs uselib ustat lookup_dcookie move_pages mbind set_mempolicy'
    expect(forbidden.split(' ').filter((name) => calls.has(name))).toEqual([])
  })

  test('names no call twice, so that the runtime compiles no rule twice', () => {
    const names = defaultFilter(facts).syscalls?.[0]?.names ?? []
    expect(new Set(names).size).toBe(names.length)
  })

  test('filters the native processor alone, and its 32-bit programs when asked', () => {
    expect(defaultFilter(facts).architectures).toEqual(['SCMP_ARCH_X86_64'])
    const both = defaultFilter({ ...facts, with32Bit: true })
    expect(both.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'])
    expect(allowed(both).has('socketcall')).toBe(true)
    expect(allowed(defaultFilter(facts)).has('socketcall')).toBe(false)
    expect(defaultFilter({ ...facts, architecture: 'arm64' }).architectures).toEqual(['SCMP_ARCH_AARCH64'])
  })

  test('opens with a capability what that capability is for', () => {
    const withAdmin = allowed(defaultFilter({ ...facts, capabilities: ['CAP_SYS_ADMIN'] }))
    expect(['mount', 'clone', 'clone3', 'bpf', 'unshare'].every((name) => withAdmin.has(name))).toBe(true)
    expect(withAdmin.has('chroot')).toBe(false)
    expect(allowed(defaultFilter({ ...facts, capabilities: ['CAP_BPF'] })).has('bpf')).toBe(true)
  })

  test('lets ptrace be used from Linux 4.8 on', () => {
    expect(allowed(defaultFilter({ ...facts, kernelVersion: '4.7' })).has('ptrace')).toBe(false)
    expect(allowed(defaultFilter({ ...facts, kernelVersion: '4.10' })).has('ptrace')).toBe(true)
  })

  test('makes clone3 unknown, so that libc falls back to a clone whose flags can be seen', () => {
    expect(defaultFilter(facts).syscalls).toContainEqual({
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 38,
    })
    expect(defaultFilter(facts).syscalls).toContainEqual({
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }],
    })
  })

  test('allows no socket of the kernel’s crypto and of the hypervisor', () => {
    const rules = (defaultFilter(facts).syscalls ?? []).filter(({ names }) => names.includes('socket'))
    const passes = (family: number) =>
      rules.some(({ args }) =>
        args?.every(({ op, value }) => (op === 'SCMP_CMP_LT' ? family < value : family === value)),
      )
    const families = Array.from({ length: 46 }, (_, family) => family)
    expect(families.filter((family) => !passes(family))).toEqual([12, 19, 20, 23, 25, 34, 37, 38, 40])
  })

  // Debian's profile for Podman, of the same descent: what is allowed here beyond it has to be meant
  test.each(['/usr/share/containers/seccomp.json'].filter((path) => existsSync(path)))(
    'goes beyond Debian’s profile only by calls that are newer than it',
    (path) => {
      const theirs = convertDockerProfile(JSON.parse(readFileSync(path, 'utf8')), facts)
      const newer =
        'cachestat fchmodat2 futex_requeue futex_wait futex_waitv futex_wake getxattrat io_pgetevents listmount listxattrat map_shadow_stack mseal removexattrat riscv_hwprobe setxattrat statmount uretprobe vmsplice'
      const beyond = [...allowed(defaultFilter(facts))].filter((name) => !allowed(theirs).has(name))
      expect(beyond.filter((name) => !newer.split(' ').includes(name))).toEqual([])
    },
  )
})

describe('a profile in Docker’s form', () => {
  const convert = (profile: Record<string, unknown>, change: Partial<FilterFacts> = {}) =>
    convertDockerProfile(profile, { ...facts, ...change })
  const rule = (names: string[], more: object = {}) => ({ names, action: 'SCMP_ACT_ALLOW', ...more })

  test('keeps the rules whose conditions hold', () => {
    const syscalls = [
      rule(['always']),
      rule(['cap'], { includes: { caps: ['CAP_CHOWN'] } }),
      rule(['nocap'], { includes: { caps: ['CAP_SYS_ADMIN'] } }),
      rule(['excluded'], { excludes: { caps: ['CAP_CHOWN'] } }),
      rule(['arch'], { includes: { arches: ['amd64'] } }),
      rule(['noarch'], { includes: { arches: ['s390x'] } }),
      rule(['kernel'], { includes: { minKernel: '4.8' } }),
      rule(['nokernel'], { includes: { minKernel: '6.10' } }),
      {
        name: 'old',
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 2,
        args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
      },
    ]
    const filter = convert({
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls,
    })
    expect(filter.syscalls?.flatMap(({ names }) => names)).toEqual(['always', 'cap', 'arch', 'kernel', 'old'])
    expect(filter.syscalls?.at(-1)).toEqual({
      names: ['old'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 2,
      args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
    })
    expect(filter.architectures).toEqual(['SCMP_ARCH_X86_64'])
  })

  test('keeps the architectures that it lists itself', () => {
    expect(
      convert({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X32'] }).architectures,
    ).toEqual(['SCMP_ARCH_X32'])
  })

  test.each<[string, Record<string, unknown>]>([
    ['defaultAction', {}],
    ['defaultAction', { defaultAction: 'ALLOW' }],
    ['syscalls', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }],
    ['syscalls[0]', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [null] }],
    ['names', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ action: 'SCMP_ACT_ALLOW' }] }],
    [
      'args.op',
      {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [rule(['x'], { args: [{ index: 0, value: 0, op: 'EQ' }] })],
      },
    ],
    [
      'minKernel',
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule(['x'], { includes: { minKernel: 'new' } })] },
    ],
  ])('is refused with the name of the wrong field: %s', (field, profile) => {
    expect(() => convert(profile)).toThrow(`the seccomp profile is not valid: ${field}`)
  })
})
