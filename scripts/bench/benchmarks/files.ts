/** A tree of 20 000 files into a container, out of it, and the container's files as an archive. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, longSleep, row, sample, type Target, withoutVariants } from '../measure.ts'

const directories = 200
const filesEach = 100
const half: Target[] = [
  { engine: 'kago', of: 'wall', most: 0.5, against: 'docker' },
  { engine: 'kago', of: 'cpu', most: 0.5, against: 'docker' },
]

export const files: Benchmark = {
  name: 'files',
  about: 'cp of 20 000 files in and out, export',
  async run(bench) {
    const tree = join(bench.directory, 'tree')
    makeTree(tree)
    const copyIn = row('cp 20 000 files in', half)
    const copyOut = row('cp 20 000 files out', half)
    const archive = row('export with 20 000 files', half)
    const rows = [copyIn, copyOut, archive]
    await inRounds(bench, withoutVariants(bench.engines), rows, async ({ name, verbs }, keep, round) => {
      const id = `bench-files-${round}`
      const out = join(bench.directory, `out-${name.replaceAll(' ', '-')}`)
      const measure = async (argv: string[]) => sample(bench.meter, () => runQuietly(argv))
      await runQuietly(verbs.runDetached(id, longSleep))
      keep(copyIn, await measure(wanted(verbs.copy?.(tree, `${id}:/tree`))))
      keep(copyOut, await measure(wanted(verbs.copy?.(`${id}:/tree`, out))))
      keep(archive, await measure(wanted(verbs.exportTo?.(id, `${out}.tar`))))
      rmSync(out, { recursive: true })
      rmSync(`${out}.tar`)
      await runQuietly(verbs.removeAll([id]))
    })
    rmSync(tree, { recursive: true })
    return rows
  },
}

function wanted(argv: string[] | undefined): string[] {
  if (argv === undefined) throw new Error('it copies no files')
  return argv
}

/** 80 MB, in files of up to 8 kB. */
function makeTree(tree: string): void {
  for (let directory = 0; directory < directories; directory++) {
    const path = join(tree, `d${directory}`)
    mkdirSync(path, { recursive: true })
    for (let file = 0; file < filesEach; file++) {
      writeFileSync(join(path, `f${file}`), Buffer.alloc(200 + ((directory * file) % 8000), 'x'))
    }
  }
}
