/** Limits of the OCI spec as the files of a cgroup and what to write into them, for v1 and v2. */
import { join } from 'node:path'
import type { DeviceRule, LinuxResources } from '../../../shared/oci/runtime-spec.ts'
import { type CgroupLayout, controllerDirectory } from '../../host/cgroup.ts'

export interface ControlWrite {
  path: string
  value: string
}

/** In the order of writing. What this layout has no controller for is left out; `missingControllers` names it. */
export function controlWrites(
  layout: CgroupLayout,
  group: string,
  resources: LinuxResources,
): ControlWrite[] {
  const wanted = layout.version === 2 ? unifiedFiles(resources) : legacyFiles(resources)
  return wanted.flatMap(([controller, file, value]) => {
    const directory = controllerDirectory(layout, controller, group)
    return directory === undefined ? [] : [{ path: join(directory, file), value }]
  })
}

/** Controllers that the limits need; v2 wants them enabled in every parent. */
export function neededControllers(resources: LinuxResources): string[] {
  return [...new Set(unifiedFiles(resources).map(([controller]) => controller))]
}

type ControlFile = [controller: string, file: string, value: string]

function legacyFiles({ memory, cpu, pids, blockIO, devices }: LinuxResources): ControlFile[] {
  const files: ControlFile[] = []
  if (memory?.limit !== undefined) files.push(['memory', 'memory.limit_in_bytes', String(memory.limit)])
  if (memory?.swap !== undefined) files.push(['memory', 'memory.memsw.limit_in_bytes', String(memory.swap)])
  if (cpu?.period !== undefined) files.push(['cpu', 'cpu.cfs_period_us', String(cpu.period)])
  if (cpu?.quota !== undefined) files.push(['cpu', 'cpu.cfs_quota_us', String(cpu.quota)])
  if (cpu?.shares !== undefined) files.push(['cpu', 'cpu.shares', String(cpu.shares)])
  if (cpu?.cpus !== undefined) files.push(['cpuset', 'cpuset.cpus', cpu.cpus])
  if (cpu?.mems !== undefined) files.push(['cpuset', 'cpuset.mems', cpu.mems])
  if (pids !== undefined) files.push(['pids', 'pids.max', noLimit(pids.limit)])
  if (blockIO?.weight !== undefined) files.push(['blkio', 'blkio.weight', String(blockIO.weight)])
  for (const rule of devices ?? [])
    files.push(['devices', rule.allow ? 'devices.allow' : 'devices.deny', ruleText(rule)])
  return files
}

function unifiedFiles({ memory, cpu, pids, blockIO, unified }: LinuxResources): ControlFile[] {
  const files: ControlFile[] = []
  if (memory?.limit !== undefined) files.push(['memory', 'memory.max', noLimit(memory.limit)])
  if (memory?.swap !== undefined)
    files.push(['memory', 'memory.swap.max', swapAlone(memory.limit, memory.swap)])
  if (cpu?.quota !== undefined)
    files.push(['cpu', 'cpu.max', `${noLimit(cpu.quota)} ${cpu.period ?? 100_000}`])
  if (cpu?.shares !== undefined) files.push(['cpu', 'cpu.weight', String(weightOfShares(cpu.shares))])
  if (cpu?.cpus !== undefined) files.push(['cpuset', 'cpuset.cpus', cpu.cpus])
  if (cpu?.mems !== undefined) files.push(['cpuset', 'cpuset.mems', cpu.mems])
  if (pids !== undefined) files.push(['pids', 'pids.max', noLimit(pids.limit)])
  if (blockIO?.weight !== undefined) files.push(['io', 'io.weight', `default ${ioWeight(blockIO.weight)}`])
  for (const [file, value] of Object.entries(unified ?? {}))
    files.push([file.split('.')[0] ?? '', file, value])
  return files
}

function noLimit(value: number): string {
  return value < 0 ? 'max' : String(value)
}

/** The spec counts memory and swap together, v2 swap alone. */
function swapAlone(limit: number | undefined, swap: number): string {
  return swap < 0 || limit === undefined || limit < 0 ? 'max' : String(swap - limit)
}

/** 2…262144 onto 1…10000, as runc and crun do. */
export function weightOfShares(shares: number): number {
  return shares === 0 ? 100 : 1 + Math.floor(((shares - 2) * 9999) / 262_142)
}

/** 10…1000 onto 1…10000. */
function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}

function ruleText(rule: DeviceRule): string {
  if (rule.type === undefined && rule.major === undefined && rule.minor === undefined) return 'a'
  return `${rule.type ?? 'a'} ${rule.major ?? '*'}:${rule.minor ?? '*'} ${rule.access}`
}
