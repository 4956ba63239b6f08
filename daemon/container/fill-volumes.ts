/** Gives an empty volume what the image has at its place, once: whole, or after a crash again from the beginning. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { isKagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { removeTree } from '../host/files.ts'
import type { Operation } from '../operation/operation.ts'
import { alone } from '../volume/alone.ts'
import { volumeData } from '../volume/context.ts'
import { syncVolume } from '../volume/sync.ts'
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
    await alone(context.volume, name, () => fillVolume(context, operation, name, target, image))
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
  await dropHalf(context, operation, row)
  if (!isEmpty(data)) return
  const shell = `cp -a ROOT${target}/. ${data}`
  await operation.step(
    `fill the volume ${name.slice(0, 64)}`,
    { by: 'kago-tree, chroot(2)', shell },
    async () => {
      volumes.setFilling(name, 1)
      const isCopied = await copy(context, row, target, image)
      // One that goes with its container need not outlive a power cut.
      if (isCopied && row.owner === null) await syncVolume(data)
      volumes.setFilling(name, 0)
      context.usage.remove('volume', row.id)
    },
  )
}

/**
 * For those that mount volumes without filling them: what a crash left half filled goes before anything of their own is
 * written beside it, for it could not be told from that later.
 */
export async function dropHalves(
  context: ContainerContext,
  operation: Operation,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    await alone(context.volume, name, async () => {
      const row = context.volume.volumes.find(name)
      if (row !== undefined) await dropHalf(context, operation, row)
    })
  }
}

/** What is in a volume that a container mounts may be the container's: it stays. */
async function dropHalf({ volume }: ContainerContext, operation: Operation, row: VolumeRow): Promise<void> {
  if (row.filling === 0) return
  const data = volumeData(volume, row)
  const shell = `find ${data} -mindepth 1 -delete`
  await operation.step(
    `empty the half filled volume ${row.name.slice(0, 64)}`,
    { by: 'unlink(2)', shell },
    async () => {
      if (volume.volumes.users(row.name).length === 0) await empty(data)
      volume.volumes.setFilling(row.name, 0)
    },
  )
}

/** Each side in a child that has made its own root the whole world: no link leads out of either. False: nothing there. */
async function copy(
  context: ContainerContext,
  row: VolumeRow,
  target: string,
  image: Root,
): Promise<boolean> {
  const data = volumeData(context.volume, row)
  const packed = runTree(context, { do: 'pack', root: image, path: `${target}/.`, follow: true })
  packed.done.catch(() => undefined)
  try {
    await packed.stat
  } catch (error) {
    // The image has nothing there.
    if (isKagoError(error, 'not_found')) return false
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
  return true
}

function isEmpty(directory: string): boolean {
  return readdirSync(directory).every((name) => name === 'lost+found')
}

async function empty(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) await removeTree(join(directory, name))
}
