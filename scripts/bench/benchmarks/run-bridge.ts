/** `run --rm` in the engine's default network: with an address, a way out, and then with a published port. */
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, type Row, row, sample, type Target } from '../measure.ts'

const targets: Target[] = [
  { engine: 'kago', of: 'wall', most: 0.4, against: 'docker' },
  { engine: 'kago', of: 'wall', most: 0.5, against: 'podman' },
]

export const runBridge: Benchmark = {
  name: 'run-bridge',
  about: 'run --rm busybox true, in a network; and with a published port',
  async run(bench) {
    const rows: [Row, string[]][] = [
      [row('run --rm on the bridge', targets), []],
      [row('run --rm -p 18080:80', targets), ['18080:80']],
    ]
    for (const [result, ports] of rows) {
      await inRounds(bench, bench.engines, [result], async ({ verbs: { runOnBridge } }, keep) => {
        if (runOnBridge === undefined) return
        keep(result, await sample(bench.meter, () => runQuietly(runOnBridge(['true'], ports))))
      })
    }
    return rows.map(([result]) => result)
  },
}
