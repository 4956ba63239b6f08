/** What stays in memory: the daemon alone, one container's supervisor, and everything with 50 containers. */
import { memoryOf, type ProcessMemory, settle } from '../accounting.ts'
import { runMany, runQuietly } from '../command.ts'
import { attempt, type Benchmark, longSleep, push, row, withoutVariants } from '../measure.ts'
import { median } from '../statistics.ts'

const count = 50
const atOnce = 16

export const memory: Benchmark = {
  name: 'memory',
  about: 'daemon, shim, and all of the engine with 50 containers',
  async run({ engines, meter }) {
    const idle = row('daemon, idle: RSS', [{ engine: 'kago', of: 'wall', most: 90 }], 'MB')
    const shimRss = row('shim of one container: RSS', [], 'MB')
    const shimPss = row('shim of one container: PSS', [], 'MB')
    const all = row(`engine with ${count} containers: PSS`, [{ engine: 'kago', of: 'wall', most: 200 }], 'MB')
    const rows = [idle, shimRss, shimPss, all]
    const ids = Array.from({ length: count }, (_, index) => `bench-memory-${index}`)
    for (const engine of withoutVariants(engines)) {
      const { name, verbs, processes } = engine
      if (processes.shim === undefined) continue
      await attempt(engine, rows, async () => {
        await settle(meter)
        if (processes.daemon) push(idle.wall, name, sum(memoryOf(processes.daemon), 'rss'))
        await runMany(
          ids.map((id) => verbs.runDetached(id, longSleep)),
          atOnce,
        )
        await settle(meter)
        const daemon = processes.daemon ? memoryOf(processes.daemon) : []
        const shims = processes.shim ? memoryOf(processes.shim) : []
        push(shimRss.wall, name, median(shims.map(({ rss }) => rss)))
        push(shimPss.wall, name, median(shims.map(({ pss }) => pss)))
        push(all.wall, name, sum([...daemon, ...shims], 'pss'))
        await runQuietly(verbs.removeAll(ids))
      })
    }
    return rows
  },
}

function sum(processes: readonly ProcessMemory[], field: 'rss' | 'pss'): number {
  return processes.reduce((total, process) => total + process[field], 0)
}
