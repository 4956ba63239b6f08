/**
 * What the daemon does about containers when it starts: reality is trusted over records. A shim that answers means
 * running; an exit file means exited with that status; anything else is killed and `lost`: nobody knows its status.
 * A second call changes nothing.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toKagoError } from '../../shared/errors.ts'
import { connectShim, readExitFile, type ShimConnection } from '../shim/client.ts'
import { cleanUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { deleteBundle, deleteFiles } from './delete-files.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { recordExit, watchTask } from './on-exit.ts'
import { type Container, readContainer } from './record.ts'

/** Unfinished operations have been rolled back before. */
export async function restoreContainers(context: ContainerContext): Promise<void> {
  const containers = context.containers.list().map(readContainer)
  await Promise.all(containers.map((container) => restore(context, container)))
  await sweep(context)
}

async function restore(context: ContainerContext, container: Container): Promise<void> {
  const { id, state } = container
  try {
    if (isAlive(state)) await restoreTask(context, container)
    else if (container.record.options.autoRemove && state === 'exited') removeSelf(context, id)
    else if (state === 'removing') removeSelf(context, id)
  } catch (error) {
    context.log.error({ err: error, container: id }, 'could not be restored')
    context.containers.updateTask(id, { state: 'lost', error: toKagoError(error).message }, 'quick')
  }
}

async function restoreTask(context: ContainerContext, container: Container): Promise<void> {
  const { id, name, state } = container
  const bundle = context.paths.bundle(id)
  const shim = await tryConnect(join(bundle, 'shim.sock'))
  if (shim !== undefined && state === 'starting') {
    // Its start was rolled back; whatever is still there has been told to end.
    shim.close()
  } else if (shim !== undefined) {
    const process = await shim.started
    const running = state === 'stopping' ? 'running' : state
    context.containers.updateTask(
      id,
      { state: running, pid: process.pid, pidStart: process.startTime },
      'quick',
    )
    watchTask(context, id, shim)
    context.log.info({ container: id, name, pid: process.pid }, 'adopted')
    return
  }
  if (state === 'starting') {
    const event = container.startedAt === null ? 'start-failed' : 'restart-failed'
    context.containers.updateTask(
      id,
      {
        state: nextState(name, state, event),
        pid: null,
        pidStart: null,
        error: 'kagod ended while it was starting',
      },
      'quick',
    )
    return
  }
  const exit = await readExitFile(join(bundle, 'exit'))
  recordExit(context, id, exit)
  context.log.info(
    { container: id, name, exit: exit?.status ?? null },
    exit === undefined ? 'lost' : 'exit collected',
  )
}

async function tryConnect(socketPath: string): Promise<ShimConnection | undefined> {
  try {
    return await connectShim(socketPath)
  } catch {
    // No socket, or nobody behind it: the exit file tells the rest.
    return undefined
  }
}

function removeSelf(context: ContainerContext, id: string): void {
  context.containers.remove(id, 'quick')
  cleanUp(context, id, () => deleteFiles(context, id))
}

/**
 * Gives back what is held for containers that do not run: what a runtime and a bundle keep of their last task, and
 * all files of those that no record names. They were being made, were ending, or were being removed.
 */
async function sweep(context: ContainerContext): Promise<void> {
  const { paths, containers, runtimes } = context
  const inRuntimes = await Promise.all(
    runtimes.names.map(async (name) => [name, await namesIn(join(paths.runtimeState, name))] as const),
  )
  const bundles = await namesIn(paths.bundles)
  const held = new Set([...bundles, ...inRuntimes.flatMap(([, ids]) => ids)])
  const files = new Set(await namesIn(paths.containers))
  for (const id of new Set([...held, ...files])) {
    const row = containers.find(id)
    const isIdle = row !== undefined && !isAlive(row.state) && held.has(id)
    if (context.cleanUps.has(id) || (row !== undefined && !isIdle)) continue
    context.log.info({ container: id, isKnown: row !== undefined }, 'swept')
    cleanUp(context, id, async () => {
      for (const [name, ids] of inRuntimes) {
        if (ids.includes(id)) await runtimes.get(name).delete(id, { force: true })
      }
      if (row === undefined) await deleteFiles(context, id)
      else await deleteBundle(context, id)
    })
  }
}

/** Nothing for a directory that is not there: a runtime that was never used. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
