/** Where a container's root file system is right now: how the program for files gets into it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { volumeData } from '../volume/context.ts'
import { readProcessStat } from '../host/process.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'
import type { Container } from './record.ts'
import type { Bind, Root } from './tree/job.ts'

/** The container once nobody is starting it any more. */
export async function settledContainer(context: ContainerContext, text: string): Promise<Container> {
  const container = findContainer(context, text)
  if (container.state !== 'starting') return container
  await context.locks.hold(container.id, async () => {})
  return findContainer(context, container.id)
}

/** The root with all that is mounted in it, to read. */
export function readableRoot(context: ContainerContext, container: Container): Root {
  const running = runningRoot(container)
  if (running !== undefined) return running
  const { snapshotter } = context.image
  const directory = context.paths.container(container.id)
  // A container that never ran lacks the places for its mounts: they can be made only where something can be written.
  const binds = bindsOf(context, container)
  const isNew = container.startedAt === null && binds.length > 0
  const mounts = isNew
    ? snapshotter.mounts(directory, container.record.chainIds)
    : snapshotter.view(directory, container.record.chainIds)
  return { by: 'mounts', at: directory, mounts, binds }
}

/** The same to write in. The caller holds the container's lock unless it runs. */
export function writableRoot(context: ContainerContext, container: Container): Root {
  const running = runningRoot(container)
  if (running !== undefined) return running
  const directory = context.paths.container(container.id)
  const mounts = context.image.snapshotter.mounts(directory, container.record.chainIds)
  return { by: 'mounts', at: directory, mounts, binds: bindsOf(context, container) }
}

/** The root alone, to read: what is mounted in it is an empty place. */
export function bareRoot(context: ContainerContext, container: Container): Root {
  const directory = context.paths.container(container.id)
  const { snapshotter } = context.image
  const mounts = snapshotter.view(directory, container.record.chainIds)
  if (!isAlive(container.state) || container.pid === null)
    return { by: 'mounts', at: directory, mounts, binds: [] }
  return {
    by: 'shim',
    pid: shimOf(container.pid, container.name),
    path: join(context.paths.bundle(container.id), 'rootfs'),
    type: snapshotter.name === 'overlay' ? 'overlay' : 'same',
    upper: join(directory, 'upper'),
  }
}

function runningRoot({ state, pid, pidStart }: Container): Root | undefined {
  if (!isAlive(state) || pid === null || pidStart === null) return undefined
  return { by: 'process', pid, pidStart }
}

/** The shim has mounted the root in a namespace of its own; it is an ancestor of the container's process. */
function shimOf(pid: number, name: string): number {
  let at = readProcessStat(pid)?.parentPid ?? 0
  for (let hops = 0; hops < 8 && at > 1; hops++) {
    if (readFileSync(`/proc/${at}/comm`, 'latin1').trim() === 'kago-shim') return at
    at = readProcessStat(at)?.parentPid ?? 0
  }
  throw new KagoError('wrong_state', `container ${name} ended meanwhile`, { hint: 'try again' })
}

/** What a start would mount from the machine. */
function bindsOf({ volume }: ContainerContext, { record }: Container): Bind[] {
  return record.options.mounts.flatMap(({ type, source = '', target, subpath: part, readOnly = false }) => {
    if (type === 'bind') return [{ source, target, readOnly }]
    const row = type === 'volume' ? volume.volumes.find(source) : undefined
    if (row === undefined) return []
    return [{ source: volumeData(volume, row), target, readOnly, ...(part !== undefined && { part }) }]
  })
}
