/** 50 containers started with `run -d`, 16 commands at a time: how an engine bears a crowd. */
import { runMany, runQuietly } from '../command.ts'
import { type Benchmark, inRounds, longSleep, row, sample, withoutVariants } from '../measure.ts'

const count = 50
const atOnce = 16

export const fifty: Benchmark = {
  name: 'fifty',
  about: '50 containers started, 16 at a time',
  async run(bench) {
    const result = row(`${count} × run -d, ${atOnce} at a time`, [
      { engine: 'kago', of: 'wall', most: 0.5, against: 'docker' },
    ])
    const ids = Array.from({ length: count }, (_, index) => `bench-fifty-${index}`)
    await inRounds(bench, withoutVariants(bench.engines), [result], async ({ verbs }, keep) => {
      const starts = ids.map((id) => verbs.runDetached(id, longSleep))
      keep(result, await sample(bench.meter, () => runMany(starts, atOnce)))
      await runQuietly(verbs.removeAll(ids))
    })
    return [result]
  },
}
