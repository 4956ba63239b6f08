/** What takes the steps of container operations back. Each accepts a step that was done, half done or not begun. */
import { rm } from 'node:fs/promises'
import { isKagoError } from '../../shared/errors.ts'
import type { State } from '../../shared/protocol/containers.ts'
import { linuxResources } from '../runtime/spec/resources.ts'
import { connectShim } from '../shim/client.ts'
import type { ContainerContext } from './context.ts'
import { deleteFiles } from './delete-files.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { readContainer } from './record.ts'

/** Whether the container had run before the start that is undone. */
type StartFailure = 'start-failed' | 'restart-failed'

type ContainerUndo = (id: string, ...more: never[]) => Promise<void>

export function containerUndos(context: ContainerContext): [string, ContainerUndo][] {
  return [
    ['container.delete-files', (id) => deleteFiles(context, id)],
    ['container.forget', async (id) => context.containers.remove(id, 'quick')],
    ['container.delete-bundle', (id) => rm(context.paths.bundle(id), { recursive: true, force: true })],
    ['container.end-task', (id, event: StartFailure) => endTask(context, id, event)],
    ['container.thaw', (id) => thaw(context, id)],
    ['container.recorded-limits', (id) => setRecordedLimits(context, id)],
    ['container.still-runs', async (id, state: State) => stillRuns(context, id, state)],
  ]
}

/** Kills what may have come up, and has the runtime forget it. */
async function endTask(context: ContainerContext, id: string, event: StartFailure): Promise<void> {
  const live = context.tasks.get(id)
  if (live !== undefined) {
    await live.shim.signal('KILL')
    await live.ended
  } else {
    await killByShim(`${context.paths.bundle(id)}/shim.sock`)
  }
  const row = context.containers.find(id)
  if (row === undefined) return
  await context.runtimes.get(readContainer(row).record.runtime).delete(id, { force: true })
  if (!isAlive(row.state)) return
  // The start may have been recorded already; taken back, it never was.
  const state = nextState(row.name, 'starting', event)
  context.containers.updateTask(
    id,
    { state, pid: null, pidStart: null, error: 'its start was undone' },
    'quick',
  )
}

async function killByShim(socketPath: string): Promise<void> {
  try {
    const shim = await connectShim(socketPath)
    try {
      await shim.signal('KILL')
      await shim.exited
    } finally {
      shim.close()
    }
  } catch (error) {
    // No shim: it never came up, or it has ended.
    if (!isKagoError(error, 'unavailable', 'not_found', 'wrong_state')) throw error
  }
}

/** A change of limits that was not recorded is no change. */
async function setRecordedLimits(context: ContainerContext, id: string): Promise<void> {
  const row = context.containers.find(id)
  if (row === undefined || !isAlive(row.state)) return
  const { record } = readContainer(row)
  await context.runtimes
    .get(record.runtime)
    .update(id, linuxResources(record.options.resources, context.host))
}

/** A stop that failed leaves a container that runs, unless it has ended all the same. */
function stillRuns(context: ContainerContext, id: string, state: State): void {
  if (context.containers.find(id)?.state === 'stopping') {
    context.containers.updateTask(id, { state, manuallyStopped: 0 }, 'quick')
  }
}

async function thaw(context: ContainerContext, id: string): Promise<void> {
  const row = context.containers.find(id)
  if (row === undefined) return
  await context.runtimes.get(readContainer(row).record.runtime).resume(id)
  if (row.state === 'paused') context.containers.updateTask(id, { state: 'running' }, 'quick')
}
