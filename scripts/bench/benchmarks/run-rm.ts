/** `run --rm busybox true`: the whole life of a container, from the command's start to its end. */
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, row, sample } from '../measure.ts'

export const runRm: Benchmark = {
  name: 'run-rm',
  about: 'run --rm busybox true',
  async run(bench) {
    const result = row('run --rm busybox true', [
      { engine: 'kago', of: 'wall', most: 0.45, against: 'docker' },
      { engine: 'kago', of: 'wall', most: 0.9, against: 'podman' },
      { engine: 'kago crun', of: 'wall', most: 0.7, against: 'podman' },
      { engine: 'kago unshare', of: 'wall', most: 0.7, against: 'podman' },
    ])
    await inRounds(bench, bench.engines, [result], async ({ verbs }, keep) => {
      keep(result, await sample(bench.meter, () => runQuietly(verbs.runAndRemove(['true']))))
    })
    return [result]
  },
}
