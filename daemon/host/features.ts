/** What this machine offers containers and what it lacks, and why: for building specs and for `kago info`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, hostname, release } from 'node:os'
import { delimiter, join } from 'node:path'
import { isKagoError } from '../../shared/errors.ts'
import { type CgroupLayout, readCgroupLayout } from './cgroup.ts'
import { runTool, toolEnvironment } from './exec.ts'

/** The facts on which a container's spec depends. */
export interface HostFacts {
  cgroupVersion: 1 | 2
  /** Node's name for the processor: `x64`, `arm64`, … */
  architecture: string
  /** As `6.1`. */
  kernelVersion: string
  /** Names (CAP_…) in the daemon's own bounding set: no container can have more. */
  capabilities: string[]
  apparmorEnabled: boolean
  seccompSupported: boolean
  swapAccounting: boolean
  cpus: number
  hostname: string
  /** Existing /sys/devices/system/cpu/cpuN/thermal_throttle directories. */
  thermalThrottlePaths: string[]
  /** mount_setattr(2) is there (Linux 5.12): a read-only bind can be read-only all the way down. */
  recursiveReadOnly: boolean
  /** The kernel has net.ipv4.ping_group_range and ip_unprivileged_port_start. */
  unprivilegedNetworkSysctls: boolean
}

export interface Feature {
  name: string
  available: boolean
  /** What was found, or why it is missing. */
  detail: string
  /** How to get it. */
  hint?: string
}

let facts: HostFacts | undefined
let features: Promise<Feature[]> | undefined

/** Read once; a millisecond, no program is run. `capabilityNames` are the kernel's, by bit. */
export function readHostFacts(capabilityNames: readonly string[]): HostFacts {
  facts ??= {
    cgroupVersion: readCgroupLayout().version,
    architecture: process.arch,
    kernelVersion: /^\d+\.\d+/.exec(release())?.[0] ?? '0.0',
    capabilities: boundingSet(capabilityNames),
    apparmorEnabled: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    seccompSupported: /^Seccomp:/m.test(readText('/proc/self/status')),
    swapAccounting: hasSwapAccounting(readCgroupLayout()),
    cpus: availableParallelism(),
    hostname: hostname(),
    thermalThrottlePaths: thermalThrottlePaths(),
    recursiveReadOnly: kernelAtLeast(5, 12),
    unprivilegedNetworkSysctls:
      existsSync('/proc/sys/net/ipv4/ping_group_range') &&
      existsSync('/proc/sys/net/ipv4/ip_unprivileged_port_start'),
  }
  return facts
}

/** For `kago info`; found out at the first call, which runs `runc --version` and its like. */
export function readFeatures(): Promise<Feature[]> {
  features ??= gatherFeatures()
  return features
}

async function gatherFeatures(): Promise<Feature[]> {
  return [
    { name: 'kernel', available: true, detail: `${release()} ${process.arch}` },
    cgroupFeature(),
    swapFeature(),
    filesystemFeature('overlay', 'layers are stacked without copying', 'modprobe overlay'),
    seccompFeature(),
    apparmorFeature(),
    userNamespaceFeature(),
    ...(await Promise.all([
      toolFeature('runc', ['--version'], 'runc'),
      toolFeature('crun', ['--version'], 'crun'),
      toolFeature('unshare', ['--version'], 'util-linux'),
      toolFeature('nft', ['--version'], 'nftables'),
      toolFeature('ip', ['-Version'], 'iproute2'),
      toolFeature('igzip', ['--version'], 'isal'),
      toolFeature('criu', ['--version'], 'criu'),
    ])),
  ]
}

function cgroupFeature(): Feature {
  try {
    const layout = readCgroupLayout()
    const controllers =
      layout.version === 2
        ? readText(join(layout.unified ?? '', 'cgroup.controllers'))
            .trim()
            .split(' ')
        : [...layout.trees.keys()].filter((name) => !name.startsWith('name='))
    const missing = ['cpu', 'cpuset', 'io', 'memory', 'pids'].filter(
      (name) => !controllers.includes(name) && !(name === 'io' && controllers.includes('blkio')),
    )
    const detail = `${layout.kind}: ${controllers.join(' ')}`
    if (missing.length === 0) return { name: 'cgroup', available: true, detail }
    return {
      name: 'cgroup',
      available: false,
      detail: `${detail}; without ${missing.join(', ')} those limits have no effect`,
      ...(missing.includes('memory') && { hint: 'boot with cgroup_enable=memory' }),
    }
  } catch (error) {
    return {
      name: 'cgroup',
      available: false,
      detail: error instanceof Error ? error.message : String(error),
    }
  }
}

function swapFeature(): Feature {
  const available = hasSwapAccounting(readCgroupLayout())
  return available
    ? { name: 'swap accounting', available, detail: 'swap can be limited' }
    : {
        name: 'swap accounting',
        available,
        detail: 'the kernel does not count swap',
        hint: 'boot with swapaccount=1',
      }
}

function filesystemFeature(name: string, what: string, how: string): Feature {
  const available = new RegExp(`\\b${name}$`, 'm').test(readText('/proc/filesystems'))
  if (available) return { name, available, detail: what }
  return {
    name,
    available,
    detail: `${name} is not in /proc/filesystems: the module is not loaded or not built`,
    hint: how,
  }
}

function seccompFeature(): Feature {
  const actions = readText('/proc/sys/kernel/seccomp/actions_avail').trim()
  const available = /^Seccomp:/m.test(readText('/proc/self/status'))
  return {
    name: 'seccomp',
    available,
    detail: available ? actions : 'the kernel was built without CONFIG_SECCOMP',
  }
}

function apparmorFeature(): Feature {
  const available = readText('/sys/module/apparmor/parameters/enabled').startsWith('Y')
  return {
    name: 'apparmor',
    available,
    detail: available
      ? 'profiles can be named with --security-opt apparmor='
      : 'the kernel has it not built in or off',
  }
}

function userNamespaceFeature(): Feature {
  const most = Number(readText('/proc/sys/user/max_user_namespaces').trim() || '0')
  const available = existsSync('/proc/self/ns/user') && most > 0
  const detail = available ? `up to ${most}` : 'switched off by user.max_user_namespaces = 0, or not built in'
  return { name: 'user namespaces', available, detail }
}

async function toolFeature(tool: string, args: string[], owner: string): Promise<Feature> {
  if (findTool(tool) === undefined) {
    return {
      name: tool,
      available: false,
      detail: `${tool} is not in PATH`,
      hint: `install it with: apt install ${owner}`,
    }
  }
  try {
    const { stdout, stderr } = await runTool(tool, args, { timeoutMs: 5_000 })
    const detail = (stdout || stderr).split('\n')[0]?.trim() ?? ''
    return { name: tool, available: true, detail }
  } catch (error) {
    if (!isKagoError(error)) throw error
    return { name: tool, available: false, detail: error.message }
  }
}

/** Absolute path of a program in the PATH that host tools get. */
export function findTool(name: string): string | undefined {
  return (toolEnvironment['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path))
}

function boundingSet(names: readonly string[]): string[] {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(readText('/proc/self/status'))?.[1] ?? '0'}`)
  return names.filter((_, bit) => (mask >> BigInt(bit)) & 1n)
}

/** v2 has no swap file in the root group, so any group below it is asked. */
function hasSwapAccounting(layout: CgroupLayout): boolean {
  if (layout.version === 1) {
    const memory = layout.trees.get('memory')
    return memory !== undefined && existsSync(join(memory, 'memory.memsw.limit_in_bytes'))
  }
  const root = layout.unified ?? ''
  return readdirSync(root, { withFileTypes: true }).some(
    (entry) => entry.isDirectory() && existsSync(join(root, entry.name, 'memory.swap.max')),
  )
}

function thermalThrottlePaths(): string[] {
  const cpus = '/sys/devices/system/cpu'
  if (!existsSync(cpus)) return []
  return readdirSync(cpus)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => join(cpus, name, 'thermal_throttle'))
    .filter((path) => existsSync(path))
}

function kernelAtLeast(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** A file of /proc or /sys that this kernel may not have: then it says nothing. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
