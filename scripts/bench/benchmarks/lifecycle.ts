/** The commands of a container that stays: `run -d`, `exec`, `stop -t 0`, `rm`, each measured by itself. */
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, longSleep, row, sample } from '../measure.ts'

export const lifecycle: Benchmark = {
  name: 'lifecycle',
  about: 'run -d, exec, stop -t 0, rm',
  async run(bench) {
    const detached = row('run -d busybox sleep')
    const exec = row('exec true', [{ engine: 'kago', of: 'wall', most: 1, against: 'docker' }])
    const stop = row('stop -t 0')
    const remove = row('rm')
    const rows = [detached, exec, stop, remove]
    await inRounds(bench, bench.engines, rows, async ({ verbs }, keep, round) => {
      const id = `bench-life-${round}`
      const measure = async (argv: string[]) => sample(bench.meter, () => runQuietly(argv))
      keep(detached, await measure(verbs.runDetached(id, longSleep)))
      keep(exec, await measure(verbs.exec(id, ['true'])))
      keep(stop, await measure(verbs.stopNow(id)))
      keep(remove, await measure(verbs.remove(id)))
    })
    return rows
  },
}
