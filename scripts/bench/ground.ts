/** The one root file system that every engine runs, taken out of the image that kago carries with it. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from './command.ts'
import type { Ground } from './engine.ts'

const imageTar = join(import.meta.dirname, '../../dist/images/busybox.tar')

interface Linked {
  manifests: [{ digest: string }]
  layers: [{ digest: string }]
}

/** @returns a folder for each engine, all on the same file system. */
export async function prepareGround(directory: string): Promise<(engine: string) => Ground> {
  const layout = join(directory, 'image')
  mkdirSync(layout)
  await runQuietly(['tar', '-xf', imageTar, '-C', layout])
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'))
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Linked
  const manifest = read(blob(read(join(layout, 'index.json')).manifests[0].digest))
  const layerTar = blob(manifest.layers[0].digest)
  return (engine) => {
    const own = join(directory, engine)
    mkdirSync(own)
    return { directory: own, layerTar }
  }
}
