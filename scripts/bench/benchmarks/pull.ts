/** Pulls of a small and a large image from a registry on loopback, beside the least that such a pull can cost. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runMany, runQuietly } from '../command.ts'
import type { EngineName } from '../engine.ts'
import { type BenchImage, makeImage, startRegistry } from '../image/registry.ts'
import {
  type Bench,
  type Benchmark,
  inRounds,
  row,
  sample,
  type Target,
  withoutVariants,
} from '../measure.ts'
import { isInstalled } from '../probe.ts'

const MB = 1e6

/** As Debian's base image, and as one with a language, its libraries and a program on top. */
const small = [{ files: 4000, bytes: 80 * MB }]
const large = [
  { files: 4000, bytes: 120 * MB },
  { files: 9000, bytes: 400 * MB },
  { files: 22_000, bytes: 220 * MB },
  { files: 40, bytes: 400 * MB },
  { files: 3000, bytes: 200 * MB },
  { files: 300, bytes: 150 * MB },
  { files: 1, bytes: 10 * MB },
]

export const pull: Benchmark = {
  name: 'pull',
  about: 'a small and a large image from a registry on loopback',
  async run(bench) {
    if (!isInstalled('docker-registry') || !isInstalled('curl')) return []
    const directory = join(bench.directory, 'registry')
    const registry = await startRegistry(directory)
    try {
      const images = [
        {
          image: await makeImage(directory, 'small', small),
          says: 'pull 80 MB, 1 layer',
          targets: ratios(0.5, 0.5),
        },
        {
          image: await makeImage(directory, 'large', large),
          says: 'pull 1.5 GB, 7 layers',
          targets: largeTargets,
        },
      ]
      const rows = []
      for (const { image, says, targets } of images)
        rows.push(await pullInRounds(bench, image, says, targets))
      return rows
    } finally {
      await registry.stop()
      rmSync(directory, { recursive: true })
    }
  },
}

function ratios(docker: number, podman: number): Target[] {
  return [
    { engine: 'kago', of: 'wall', most: docker, against: 'docker' },
    { engine: 'kago', of: 'wall', most: podman, against: 'podman' },
  ]
}

const largeTargets: Target[] = [
  ...ratios(0.45, 0.5),
  { engine: 'kago', of: 'cpu', most: 0.5, against: 'docker' },
  { engine: 'kago', of: 'cpu', most: 0.5, against: 'podman' },
  { engine: 'kago', of: 'wall', most: 1.25, against: 'runc' },
]

async function pullInRounds(bench: Bench, image: BenchImage, name: string, targets: Target[]) {
  const result = row(name, targets)
  const place = join(bench.directory, 'floor')
  await inRounds(bench, withoutVariants(bench.engines), [result], async (engine, keep) => {
    const { pull: pullVerb, removeImage } = engine.verbs
    if (pullVerb !== undefined && removeImage !== undefined) {
      keep(result, await sample(bench.meter, () => runQuietly(pullVerb(image.reference))))
      await runQuietly(removeImage(image.reference))
    } else if (isFloor(engine.name)) {
      mkdirSync(place)
      keep(result, await sample(bench.meter, () => runMany(floor(image, place), 2)))
      rmSync(place, { recursive: true })
    }
  })
  return result
}

/** No engine: what curl, a decompressor and tar need, two layers at a time. */
function isFloor(name: EngineName): boolean {
  return name === 'runc'
}

function floor({ reference, layers }: BenchImage, place: string): string[][] {
  const [host = '', name = ''] = reference.replace(/:latest$/, '').split('/')
  const inflate = isInstalled('igzip') ? 'igzip' : 'gzip'
  return layers.map(({ digest }, index) => {
    const directory = join(place, String(index))
    mkdirSync(directory)
    const url = `http://${host}/v2/${name}/blobs/${digest}`
    const script = `curl --silent --fail "$0" | ${inflate} -dc | tar -x -C "$1"`
    return ['bash', '-o', 'pipefail', '-c', script, url, directory]
  })
}
