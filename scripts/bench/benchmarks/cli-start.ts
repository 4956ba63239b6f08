/** What the command line costs by itself: `version`, beside Node running an empty script. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, row, sample, withoutVariants } from '../measure.ts'

export const cliStart: Benchmark = {
  name: 'cli-start',
  about: 'version, beside an empty Node script',
  async run(bench) {
    const script = join(bench.directory, 'empty.cjs')
    writeFileSync(script, '')
    const empty = row('node empty.cjs')
    const version = row('version', [
      { engine: 'kago', of: 'cpu', most: 2, against: 'kago', againstRow: empty.name },
    ])
    await inRounds(bench, withoutVariants(bench.engines), [empty, version], async ({ name, verbs }, keep) => {
      // In the same round as kago: the two are compared.
      if (name === 'kago') {
        keep(empty, await sample(bench.meter, () => runQuietly([process.execPath, script])))
      }
      keep(version, await sample(bench.meter, () => runQuietly(verbs.version())))
    })
    return [empty, version]
  },
}
