/** What containers use, sample by sample. Nothing of a container's own is run or trusted: the kernel counts. */
import { totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerStats, StatsSample } from '../../shared/protocol/stats.ts'
import { readCgroupLayout, readCpuUse } from '../host/cgroup.ts'
import { readGroupBlockIo, readGroupMemory, readGroupPids } from '../host/cgroup-use.ts'
import { readNetworkUse } from '../host/network-use.ts'
import type { ContainerContext } from './context.ts'
import { cgroupsPath } from './create-options.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'

/** From a first look to the first sample: the use of the processor is what happens between two. */
const firstMs = 500
const intervalMs = 1000

export interface StatsQuery {
  container?: readonly string[] | undefined
  all?: boolean | undefined
  once?: boolean | undefined
}

/** Ends after one sample, or with the signal. @throws not_found for a container that is not there. */
export async function* containerStats(
  context: ContainerContext,
  query: StatsQuery,
  signal: AbortSignal,
): AsyncGenerator<StatsSample, void> {
  const ids = query.container?.map((text) => findContainer(context, text).id)
  const sample = createSampler()
  sample(chosen(context, ids, query.all === true))
  for (let wait = firstMs; ; wait = intervalMs) {
    await sleep(wait, undefined, { signal })
    yield sample(chosen(context, ids, query.all === true))
    if (query.once === true) return
  }
}

/** All that run, for who counts them himself. */
export function runningStats(context: ContainerContext): ContainerStats[] {
  return createSampler()(chosen(context, undefined, false)).containers
}

function chosen(
  { containers }: ContainerContext,
  ids: readonly string[] | undefined,
  isAll: boolean,
): Container[] {
  const rows =
    ids === undefined
      ? containers.list().filter(({ state }) => isAll || isAlive(state))
      : ids.map((id) => containers.find(id)).filter((row) => row !== undefined)
  return rows.map(readContainer)
}

type Sampler = (containers: readonly Container[]) => StatsSample

/** Remembers the sample before. */
function createSampler(): Sampler {
  let before = new Map<string, { at: number; cpuMicroseconds: number }>()
  return (containers) => {
    const now: typeof before = new Map()
    const rows = containers.map((container) => {
      const row = measure(container)
      const at = performance.now()
      if (row.cpuMicroseconds === null) return row
      now.set(row.id, { at, cpuMicroseconds: row.cpuMicroseconds })
      const last = before.get(row.id)
      if (last === undefined || at <= last.at) return row
      const share = (row.cpuMicroseconds - last.cpuMicroseconds) / 1000 / (at - last.at)
      // A new run counts from nothing again.
      return { ...row, cpuPercent: Math.max(0, share * 100) }
    })
    before = now
    return { at: new Date().toISOString(), containers: rows }
  }
}

function measure({ id, name, pid, state, record }: Container): ContainerStats {
  const nothing: ContainerStats = {
    id,
    name,
    cpuPercent: null,
    cpuMicroseconds: null,
    memoryBytes: null,
    memoryLimitBytes: null,
    receivedBytes: null,
    sentBytes: null,
    readBytes: null,
    writtenBytes: null,
    pids: null,
  }
  if (!isAlive(state) || pid === null) return nothing
  const layout = readCgroupLayout()
  const group = cgroupsPath(id)
  const memory = readGroupMemory(layout, group)
  const network = record.options.network === 'host' ? undefined : readNetworkUse(pid)
  return {
    ...nothing,
    cpuMicroseconds: readCpuUse(layout, group)?.totalMicroseconds ?? null,
    memoryBytes: memory?.usedBytes ?? null,
    memoryLimitBytes: Math.min(memory?.limitBytes ?? Number.POSITIVE_INFINITY, totalmem()),
    ...network,
    ...readGroupBlockIo(layout, group),
    pids: readGroupPids(layout, group) ?? null,
  }
}
