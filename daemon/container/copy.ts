/** Files of a container as archives, out and in: `cp`, `export`. */
import type { Readable } from 'node:stream'
import type { FileStat } from '../../shared/protocol/files.ts'
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { isAlive } from './lifecycle.ts'
import { bareRoot, readableRoot, settledContainer, writableRoot } from './root.ts'
import type { PackJob } from './tree/job.ts'
import { measureWritable } from './usage.ts'
import { forgetVolumeUsage } from './volume-usage.ts'
import { runTree } from './tree/run-tree.ts'

export interface FileQuery {
  path: string
  follow?: boolean | undefined
}

/** @throws not_found */
export async function statFile(
  context: ContainerContext,
  text: string,
  { path, follow = false }: FileQuery,
  signal: AbortSignal,
): Promise<FileStat> {
  const root = readableRoot(context, await settledContainer(context, text))
  const run = runTree(context, { do: 'pack', root, path, follow, statOnly: true }, { signal })
  const [stat] = await Promise.all([run.stat, drain(run.bytes)])
  return stat
}

/** @throws not_found before the first byte */
export async function readFiles(
  context: ContainerContext,
  text: string,
  { path, follow = false }: FileQuery,
): Promise<Readable> {
  const root = readableRoot(context, await settledContainer(context, text))
  return await streamPack(context, { do: 'pack', root, path, follow })
}

/** The root without what is mounted in it. */
export async function exportContainer(context: ContainerContext, text: string): Promise<Readable> {
  const root = bareRoot(context, await settledContainer(context, text))
  return await streamPack(context, { do: 'pack', root, path: '/', follow: false, isWhole: true })
}

async function streamPack(context: ContainerContext, job: PackJob): Promise<Readable> {
  const run = runTree(context, job)
  run.done.catch(() => undefined)
  await run.stat
  return run.stream()
}

/** A stopped container is not started meanwhile. What was written before a failure stays, as with any copy. */
export async function writeFiles(
  context: ContainerContext,
  text: string,
  { path, mode = 'into' }: { path: string; mode?: 'into' | 'copy' | undefined },
  input: Readable,
  signal: AbortSignal,
): Promise<{ bytes: number }> {
  const container = await settledContainer(context, text)
  const write = () =>
    operate(context, { kind: 'container.copy', target: container.id, signal }, (operation) =>
      operation.step('extract the archive in its root', { by: 'kago-tree, chroot(2)' }, async () => {
        const current = await settledContainer(context, container.id)
        const root = writableRoot(context, current)
        const run = runTree(context, { do: 'place', root, path, mode }, { input, signal })
        const [{ bytes }] = await Promise.all([run.done, drain(run.bytes)])
        if (!isAlive(current.state)) {
          forgetVolumeUsage(context, current)
          await measureWritable(context, current.id)
        }
        return { bytes }
      }),
    )
  return isAlive(container.state) ? await write() : await context.locks.hold(container.id, write)
}

async function drain(bytes: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of bytes) if (chunk.length < 0) break
}
