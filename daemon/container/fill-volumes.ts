/** Gives an empty volume what the image has at its place, once: whole, or after a crash again from the beginning. */
import { readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { isKagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { Operation } from '../operation/operation.ts'
import { volumeData } from '../volume/context.ts'
import type { VolumeRow } from '../state/volumes.ts'
import type { ContainerContext } from './context.ts'
import type { Root } from './tree/job.ts'
import { runTree } from './tree/run-tree.ts'

/** `directory` is the container's, which nobody works in yet. */
export async function fillVolumes(
  context: ContainerContext,
  operation: Operation,
  container: { directory: string; chainIds: readonly Digest[] },
  toFill: readonly { name: string; target: string }[],
): Promise<void> {
  const { snapshotter } = context.image
  const mounts = snapshotter.view(container.directory, container.chainIds)
  for (const { name, target } of toFill) {
    const image: Root = { by: 'mounts', at: container.directory, mounts, binds: [] }
    await alone(context, name, () => fillVolume(context, operation, name, target, image))
  }
}

/** Two containers that begin with one empty volume: the second waits for the first. */
async function alone(
  { volume: { filling } }: ContainerContext,
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  while (filling.has(name)) await filling.get(name)
  const done = Promise.withResolvers<void>()
  filling.set(name, done.promise)
  try {
    await work()
  } finally {
    filling.delete(name)
    done.resolve()
  }
}

async function fillVolume(
  context: ContainerContext,
  operation: Operation,
  name: string,
  target: string,
  image: Root,
): Promise<void> {
  const { volumes } = context.volume
  const row = volumes.find(name)
  if (row === undefined) return
  const data = volumeData(context.volume, row)
  if (row.filling === 0 && !isEmpty(data)) return
  const shell = `cp -a ROOT${target}/. ${data}`
  await operation.step(
    `fill the volume ${name.slice(0, 64)}`,
    { by: 'kago-tree, chroot(2)', shell },
    async () => {
      if (row.filling === 1) await empty(data)
      else volumes.setFilling(name, 1)
      await copy(context, row, target, image)
      volumes.setFilling(name, 0)
      context.usage.remove('volume', row.id)
    },
  )
}

/** Each side in a child that has made its own root the whole world: no link leads out of either. */
async function copy(context: ContainerContext, row: VolumeRow, target: string, image: Root): Promise<void> {
  const data = volumeData(context.volume, row)
  const packed = runTree(context, { do: 'pack', root: image, path: `${target}/.`, follow: true })
  packed.done.catch(() => undefined)
  try {
    await packed.stat
  } catch (error) {
    // The image has nothing there.
    if (isKagoError(error, 'not_found')) return
    throw error
  }
  const bind = { type: 'bind', source: data, target: '', options: [] }
  const root: Root = { by: 'mounts', at: dirname(data), mounts: [bind], binds: [] }
  const placed = runTree(
    context,
    { do: 'place', root, path: '/', mode: 'into', withTop: true },
    { input: Readable.from(packed.bytes, { objectMode: false }) },
  )
  for await (const chunk of placed.bytes) if (chunk.length < 0) break
  await Promise.all([packed.done, placed.done])
}

function isEmpty(directory: string): boolean {
  return readdirSync(directory).every((name) => name === 'lost+found')
}

async function empty(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) await rm(join(directory, name), { recursive: true, force: true })
}
