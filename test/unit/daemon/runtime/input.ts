/** A SpecInput for which nothing was asked, on an ordinary machine with cgroup v2. */
import { defaultRunOptions, type RunOptions } from '../../../../daemon/runtime/run-options.ts'
import { capabilityNames } from '../../../../daemon/runtime/spec/capabilities.ts'
import type { HostFacts, SpecInput } from '../../../../daemon/runtime/spec.ts'

export const machine: HostFacts = {
  cgroupVersion: 2,
  architecture: 'x64',
  kernelVersion: '6.1',
  capabilities: [...capabilityNames],
  apparmorEnabled: false,
  seccompSupported: true,
  swapAccounting: true,
  cpus: 4,
  hostname: 'vm',
  thermalThrottlePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  recursiveReadOnly: true,
  unprivilegedNetworkSysctls: true,
}

export function input(options: Partial<RunOptions> = {}, rest: Partial<SpecInput> = {}): SpecInput {
  return {
    id: '0123456789abcdef',
    imageConfig: { Cmd: ['sh'], Env: ['PATH=/bin'] },
    options: { ...defaultRunOptions, ...options },
    user: { uid: 0, gid: 0, additionalGids: [] },
    host: machine,
    networkMode: 'none',
    etcFiles: { hosts: '/c/hosts', hostname: '/c/hostname', resolvConf: '/c/resolv.conf' },
    cgroupsPath: '/kago/0123',
    ...rest,
  }
}
