/** `ps` with 1, 100 and 500 running containers. */
import { runMany, runQuietly } from '../command.ts'
import type { Engine } from '../engine.ts'
import { attempt, type Benchmark, inRounds, longSleep, row, sample, withoutVariants } from '../measure.ts'

const counts = [1, 100, 500]
const atOnce = 16

export const ps: Benchmark = {
  name: 'ps',
  about: 'ps with 1, 100 and 500 running containers',
  async run(bench) {
    const engines = withoutVariants(bench.engines)
    const rows = counts.map((count) => row(`ps with ${count}`))
    let running = 0
    for (const [index, result] of rows.entries()) {
      const wanted = counts[index] ?? 0
      for (const engine of engines) {
        await attempt(engine, rows.slice(index), async () => runMany(starts(engine, running, wanted), atOnce))
      }
      running = wanted
      const able = engines.filter(({ name }) => !result.failures.has(name))
      await inRounds(bench, able, [result], async ({ verbs }, keep) => {
        keep(result, await sample(bench.meter, () => runQuietly(verbs.list())))
      })
    }
    for (const engine of engines) {
      await attempt(engine, rows.slice(-1), async () => runQuietly(engine.verbs.removeAll(ids(0, running))))
    }
    return rows
  },
}

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `bench-ps-${from + index}`)
}

function starts({ verbs }: Engine, from: number, to: number): string[][] {
  return ids(from, to).map((id) => verbs.runDetached(id, longSleep))
}
