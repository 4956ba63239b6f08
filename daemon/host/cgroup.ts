/**
 * Control groups of every layout: where a group's files are, what they say, how it is frozen and removed.
 *
 * Layouts
 *   v2      one tree with all controllers, at /sys/fs/cgroup: what Debian 11 and later and Ubuntu 21.10 and later have.
 *   v1      a tree for each controller, as /sys/fs/cgroup/memory.
 *   hybrid  v1 trees that do the limiting, and beside them a v2 tree (with few controllers or none) for systemd.
 *
 * A group is named by its path from the root of the trees, as `/kago/<id>`, the same in each of them.
 */
import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { type MountEntry, readMountTable } from './mount-table.ts'

export interface CgroupLayout {
  kind: 'v1' | 'hybrid' | 'v2'
  /** The version that limits memory, CPU and pids. */
  version: 1 | 2
  /** Where the v2 tree is mounted, if it is. */
  unified?: string
  /** For v1 and hybrid: controller (memory, cpu, freezer, name=systemd, …) → where its tree is mounted. */
  trees: ReadonlyMap<string, string>
}

export interface MemoryUse {
  usageBytes: number
  /** Highest use so far; absent on a v2 kernel before 5.19. */
  peakBytes?: number
  /** Absent when there is no limit. */
  limitBytes?: number
  /** How many processes of the group the kernel has killed for memory; absent when the kernel does not count. */
  oomKills?: number
}

export interface CpuUse {
  totalMicroseconds: number
  userMicroseconds: number
  systemMicroseconds: number
}

const notLimits = new Set(['rw', 'ro', 'xattr', 'noprefix', 'clone_children', 'cpuset_v2_mode'])

/** Of a mount table; `undefined` when no cgroup is mounted at all. */
export function cgroupLayout(table: readonly MountEntry[]): CgroupLayout | undefined {
  const trees = new Map<string, string>()
  let unified: string | undefined
  for (const { type, target, superOptions } of table) {
    if (type === 'cgroup2') unified ??= target
    if (type !== 'cgroup') continue
    for (const option of superOptions) {
      const isController = !notLimits.has(option) && !/^(release_agent|nsdelegate|memory_)/.test(option)
      if (isController && !trees.has(option)) trees.set(option, target)
    }
  }
  const limits = [...trees.keys()].some((name) => !name.startsWith('name='))
  if (limits) return { kind: unified ? 'hybrid' : 'v1', version: 1, trees, ...(unified && { unified }) }
  return unified === undefined ? undefined : { kind: 'v2', version: 2, trees, unified }
}

let cached: CgroupLayout | undefined

/** This machine's layout, read once. */
export function readCgroupLayout(): CgroupLayout {
  cached ??= cgroupLayout(readMountTable())
  if (cached) return cached
  throw new KagoError('not_supported', 'no cgroup hierarchy is mounted', {
    hint: 'mount one with: mount -t cgroup2 none /sys/fs/cgroup',
  })
}

/** Every directory of the group, one in each tree, whether or not it exists. */
export function cgroupDirectories(layout: CgroupLayout, group: string): string[] {
  const roots = new Set(layout.trees.values())
  if (layout.unified !== undefined) roots.add(layout.unified)
  return [...roots].map((root) => join(root, group))
}

/** The group's directory in the tree of one controller; nothing when the machine does not have it. */
export function controllerDirectory(
  layout: CgroupLayout,
  controller: string,
  group: string,
): string | undefined {
  const root = layout.version === 2 ? layout.unified : layout.trees.get(controller)
  return root === undefined ? undefined : join(root, group)
}

/** The tree in which every process of the group is sure to be: v2's, or the first of v1's. */
function membershipDirectory(layout: CgroupLayout, group: string): string {
  const directory = ['freezer', 'pids', 'memory', 'devices', 'cpu']
    .map((controller) => controllerDirectory(layout, controller, group))
    .find((found) => found !== undefined)
  if (directory !== undefined) return directory
  throw new KagoError('not_supported', 'this machine has no cgroup controller that kago uses')
}

/** Host pids in the group and in every group below it; none when it does not exist. */
export function listPids(layout: CgroupLayout, group: string): number[] {
  const pids: number[] = []
  for (const directory of descendants(membershipDirectory(layout, group))) {
    const procs = readIfThere(join(directory, 'cgroup.procs')) ?? ''
    for (const line of procs.split('\n')) if (line !== '') pids.push(Number(line))
  }
  return pids
}

/** Stops every process of the group where it is, and answers when all of them have stopped. */
export async function freezeCgroup(layout: CgroupLayout, group: string): Promise<void> {
  await setFrozen(layout, group, true)
}

export async function thawCgroup(layout: CgroupLayout, group: string): Promise<void> {
  await setFrozen(layout, group, false)
}

export function isFrozen(layout: CgroupLayout, group: string): boolean {
  const directory = controllerDirectory(layout, 'freezer', group)
  if (directory === undefined) return false
  if (layout.version === 2)
    return keyed(readIfThere(join(directory, 'cgroup.events')) ?? '').get('frozen') === 1
  return readIfThere(join(directory, 'freezer.state'))?.trim() === 'FROZEN'
}

async function setFrozen(layout: CgroupLayout, group: string, frozen: boolean): Promise<void> {
  const directory = controllerDirectory(layout, 'freezer', group)
  if (directory === undefined) {
    throw new KagoError('not_supported', 'this machine has no cgroup freezer, so nothing can be paused')
  }
  const [file, word] =
    layout.version === 2
      ? ['cgroup.freeze', frozen ? '1' : '0']
      : ['freezer.state', frozen ? 'FROZEN' : 'THAWED']
  const deadline = Date.now() + 10_000
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    // v1 can be stuck in FREEZING while processes fork: writing it again takes the new ones in
    writeControl(join(directory, file), word)
    if (isFrozen(layout, group) === frozen) return
    if (Date.now() > deadline) {
      throw new KagoError(
        'timed_out',
        `the processes of ${group} did not ${frozen ? 'freeze' : 'thaw'} in 10 s`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** Nothing when the group or its memory controller does not exist. */
export function readMemoryUse(layout: CgroupLayout, group: string): MemoryUse | undefined {
  const directory = controllerDirectory(layout, 'memory', group)
  if (directory === undefined) return undefined
  const read = (file: string): number | undefined => amount(readIfThere(join(directory, file)))
  const isV2 = layout.version === 2
  const usageBytes = read(isV2 ? 'memory.current' : 'memory.usage_in_bytes')
  if (usageBytes === undefined) return undefined
  const peakBytes = read(isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes')
  const limitBytes = read(isV2 ? 'memory.max' : 'memory.limit_in_bytes')
  const events = readIfThere(join(directory, isV2 ? 'memory.events' : 'memory.oom_control'))
  const oomKills = events === undefined ? undefined : keyed(events).get('oom_kill')
  return {
    usageBytes,
    ...(peakBytes !== undefined && { peakBytes }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(oomKills !== undefined && { oomKills }),
  }
}

/** Nothing when the group does not exist or CPU time is not accounted. */
export function readCpuUse(layout: CgroupLayout, group: string): CpuUse | undefined {
  const directory = controllerDirectory(layout, layout.version === 2 ? 'cpu' : 'cpuacct', group)
  if (directory === undefined) return undefined
  if (layout.version === 2) {
    const stat = readIfThere(join(directory, 'cpu.stat'))
    if (stat === undefined) return undefined
    const values = keyed(stat)
    return {
      totalMicroseconds: values.get('usage_usec') ?? 0,
      userMicroseconds: values.get('user_usec') ?? 0,
      systemMicroseconds: values.get('system_usec') ?? 0,
    }
  }
  const total = amount(readIfThere(join(directory, 'cpuacct.usage')))
  if (total === undefined) return undefined
  const nanoseconds = (file: string): number => (amount(readIfThere(join(directory, file))) ?? 0) / 1000
  return {
    totalMicroseconds: total / 1000,
    userMicroseconds: nanoseconds('cpuacct.usage_user'),
    systemMicroseconds: nanoseconds('cpuacct.usage_sys'),
  }
}

/** Writes a control file; the kernel's refusals become sentences that name the file. */
export function writeControl(path: string, value: string): void {
  try {
    writeFileSync(path, value)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT')
      throw new KagoError('not_found', `there is no cgroup file ${path}`, { cause: error })
    const reason =
      code === 'EINVAL'
        ? 'the kernel takes it for invalid'
        : code === 'EBUSY'
          ? 'it is in use'
          : `the kernel says ${code}`
    throw new KagoError('invalid_argument', `${value} cannot be written to ${path}: ${reason}`, {
      cause: error,
    })
  }
}

/**
 * Removes the group and all below it from every tree. The last process may still be on its way out, so a busy group is
 * tried again for two seconds. One that does not exist is success.
 */
export async function removeCgroup(layout: CgroupLayout, group: string): Promise<void> {
  if (group === '' || group === '/') throw new KagoError('internal', 'the root cgroup is not to be removed')
  const deadline = Date.now() + 2_000
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    const busy = cgroupDirectories(layout, group).filter((directory) => !removeTree(directory))
    if (busy.length === 0) return
    if (Date.now() > deadline) {
      throw new KagoError('in_use', `the cgroup ${busy[0]} still has processes`, {
        details: { pids: listPids(layout, group) },
      })
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** False while something in it is busy. */
function removeTree(directory: string): boolean {
  let removed = true
  for (const each of descendants(directory).reverse()) {
    try {
      rmdirSync(each)
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EBUSY') removed = false
      else if (code !== 'ENOENT') {
        throw new KagoError('internal', `the cgroup ${each} cannot be removed (${code})`, { cause: error })
      }
    }
  }
  return removed
}

/** The directory and all below it, parents first; empty when it is not there. */
function descendants(directory: string): string[] {
  try {
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [directory, ...children.flatMap((child) => descendants(join(directory, child.name)))]
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

/** ENODEV is what reading a file of a group says that was removed meanwhile. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENODEV', 'ENOTDIR'].includes(errorCode(error))
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

/** v1 says "no limit" with a number near 2^63, v2 with the word max. */
export function amount(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === 'max') return undefined
  const value = Number(text.trim())
  return Number.isFinite(value) && value < 2 ** 62 ? value : undefined
}

/** Lines of a key and a number. */
export function keyed(text: string): Map<string, number> {
  return new Map(
    text.split('\n').flatMap((line): [string, number][] => {
      const [key, value] = line.split(' ')
      return key && value !== undefined ? [[key, Number(value)]] : []
    }),
  )
}
