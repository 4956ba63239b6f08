/** What the engines have used: CPU of everything in this control group, memory of the processes of one engine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const cgroups = '/sys/fs/cgroup'
const quietWindowMs = 25
const quietCpuMs = 1
const longestSettleMs = 1500

/** Milliseconds used so far by everything but this process: command lines, daemons, shims, runtimes, containers. */
export type CpuMeter = () => number

export function openCpuMeter(): CpuMeter {
  const total = totalMeter()
  return () => {
    const own = process.cpuUsage()
    return total() - (own.user + own.system) / 1000
  }
}

function totalMeter(): CpuMeter {
  const legacy = readdirSync(cgroups)
    .map((name) => join(cgroups, name, 'cpuacct.usage'))
    .find((path) => existsSync(path))
  if (legacy !== undefined) return () => Number(readFileSync(legacy, 'utf8')) / 1e6
  const unified = join(cgroups, 'cpu.stat')
  return () => Number(/^usage_usec (\d+)/m.exec(readFileSync(unified, 'utf8'))?.[1]) / 1e3
}

/** Waits until nothing is at work any more, so that what an engine does after its reply is counted as well. */
export async function settle(meter: CpuMeter): Promise<void> {
  const end = performance.now() + longestSettleMs
  for (let before = meter(); performance.now() < end; ) {
    await sleep(quietWindowMs)
    const now = meter()
    if (now - before < quietCpuMs) return
    before = now
  }
}

export interface ProcessMemory {
  command: string
  /** Megabytes (10^6 bytes) that are in memory; shared pages count in full for each process. */
  rss: number
  /** The same with a shared page divided among those who share it: these can be added up. */
  pss: number
}

/** Of the processes outside containers whose command line matches. */
export function memoryOf(pattern: RegExp): ProcessMemory[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        if (!pattern.test(command) || isInContainer(pid)) return []
        const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
        return [{ command, rss: megabytes(rollup, 'Rss'), pss: megabytes(rollup, 'Pss') }]
      } catch (error) {
        // It ended while it was being looked at.
        if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
          return []
        throw error
      }
    })
}

/** A process of a container has a second pid, that of the container's own namespace. */
function isInContainer(pid: string): boolean {
  const pids = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
  return pids.split('\t').length > 1
}

function megabytes(rollup: string, field: string): number {
  return (Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(rollup)?.[1]) * 1024) / 1e6
}
