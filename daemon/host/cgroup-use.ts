/** What a control group uses: memory as people count it, bytes of block devices, processes. */
import { join } from 'node:path'
import { amount, type CgroupLayout, controllerDirectory, keyed, readIfThere } from './cgroup.ts'

export interface GroupMemory {
  /** Without what is cached of files that were not used lately: the kernel gives that back when memory is short. */
  usedBytes: number
  /** Absent where there is no limit. */
  limitBytes?: number
}

/** Docker's rule: v2 `memory.current` without `inactive_file`, v1 the usage without `total_inactive_file`. */
export function readGroupMemory(layout: CgroupLayout, group: string): GroupMemory | undefined {
  const directory = controllerDirectory(layout, 'memory', group)
  if (directory === undefined) return undefined
  const [usageFile, limitFile, cacheKey] =
    layout.version === 2
      ? (['memory.current', 'memory.max', 'inactive_file'] as const)
      : (['memory.usage_in_bytes', 'memory.limit_in_bytes', 'total_inactive_file'] as const)
  const usage = amount(readIfThere(join(directory, usageFile)))
  if (usage === undefined) return undefined
  const cache = keyed(readIfThere(join(directory, 'memory.stat')) ?? '').get(cacheKey) ?? 0
  const limitBytes = amount(readIfThere(join(directory, limitFile)))
  return { usedBytes: cache < usage ? usage - cache : usage, ...(limitBytes !== undefined && { limitBytes }) }
}

/** Nothing where block devices are not counted. */
export function readGroupBlockIo(
  layout: CgroupLayout,
  group: string,
): { readBytes: number; writtenBytes: number } | undefined {
  const directory = controllerDirectory(layout, layout.version === 2 ? 'io' : 'blkio', group)
  if (directory === undefined) return undefined
  if (layout.version === 2) {
    const stat = readIfThere(join(directory, 'io.stat'))
    return stat === undefined ? undefined : parseIoStat(stat)
  }
  const files = ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_service_bytes']
  for (const file of files) {
    const text = readIfThere(join(directory, file))
    if (text !== undefined) return parseBlkio(text)
  }
  return undefined
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=… `. */
export function parseIoStat(text: string): { readBytes: number; writtenBytes: number } {
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    )
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes') }
}

/** Lines of `8:0 Read 1`, `8:0 Write 2`, and a total. */
export function parseBlkio(text: string): { readBytes: number; writtenBytes: number } {
  const sum = (word: string) =>
    [...text.matchAll(new RegExp(`^\\d+:\\d+ ${word} (\\d+)$`, 'gm'))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    )
  return { readBytes: sum('Read'), writtenBytes: sum('Write') }
}

/** Processes and threads; nothing where they are not counted. */
export function readGroupPids(layout: CgroupLayout, group: string): number | undefined {
  const directory = controllerDirectory(layout, 'pids', group)
  return directory === undefined ? undefined : amount(readIfThere(join(directory, 'pids.current')))
}
