/** What takes the steps of container operations back. Each accepts a step that was done, half done or not begun. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { State } from '../../shared/protocol/containers.ts'
import { linuxResources } from '../runtime/spec/resources.ts'
import { connectShim, type ShimConnection } from '../shim/client.ts'
import type { ContainerContext } from './context.ts'
import { deleteBundle, deleteFiles } from './delete-files.ts'
import { thaw as thawTask } from './kill.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { setRecordedPorts } from './publish.ts'
import { readContainer } from './record.ts'

/** Whether the container had run before the start that is undone. */
type StartFailure = 'start-failed' | 'restart-failed'

/** A runtime that hangs must not keep the daemon from coming up. */
const killPatienceMs = 30_000

type ContainerUndo = (id: string, ...more: never[]) => Promise<void>

export function containerUndos(context: ContainerContext): [string, ContainerUndo][] {
  return [
    ['container.delete-files', (id) => deleteFiles(context, id)],
    ['container.forget', async (id) => forget(context, id)],
    ['container.delete-bundle', (id) => deleteBundle(context, id)],
    ['container.end-task', (id, event: StartFailure) => endTask(context, id, event)],
    ['container.thaw', (id) => thaw(context, id)],
    ['container.recorded-limits', (id) => setRecordedLimits(context, id)],
    ['container.recorded-ports', (id) => setRecordedPorts(context, id)],
    ['container.still-runs', async (id, state: State) => stillRuns(context, id, state)],
  ]
}

function forget({ containers, events, network }: ContainerContext, id: string): void {
  network.endpoints.remove(id)
  if (containers.find(id) === undefined) return
  containers.remove(id, 'quick')
  events.publish({ type: 'container', action: 'remove', id })
}

/** Kills what may have come up, and has the runtime forget it. */
async function endTask(context: ContainerContext, id: string, event: StartFailure): Promise<void> {
  const live = context.tasks.get(id)
  if (live !== undefined) {
    // Its end is not one that its restart policy should mend.
    context.containers.updateTask(id, { manuallyStopped: 1 }, 'quick')
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
    {
      state,
      pid: null,
      pidStart: null,
      error: 'its start was undone',
      // It was its policy's: the daemon that takes it back begins it again.
      ...(row.restartCount > 0 && { restartAt: Date.now() }),
    },
    'quick',
  )
}

async function killByShim(socketPath: string): Promise<void> {
  try {
    const shim = await connectShim(socketPath)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      late.reject(new KagoError('timed_out', `the shim behind ${socketPath} does not end`))
    }, killPatienceMs)
    try {
      await Promise.race([killTask(shim), late.promise])
    } finally {
      clearTimeout(timer)
      shim.close()
    }
  } catch (error) {
    // No shim: it never came up, or it has ended, or its runtime failed and it said so.
    if (!isKagoError(error) || error.code === 'timed_out') throw error
  }
}

/** While the runtime is still at work there is no process that could be signalled. */
async function killTask(shim: ShimConnection): Promise<void> {
  await shim.started
  await shim.signal('KILL')
  await shim.exited
}

/** A change of limits that was not recorded is no change. */
async function setRecordedLimits(context: ContainerContext, id: string): Promise<void> {
  const row = context.containers.find(id)
  if (row === undefined || !isAlive(row.state)) return
  const { record } = readContainer(row)
  const limits = linuxResources(record.options.resources, context.host)
  try {
    await context.runtimes.get(record.runtime).update(id, limits)
  } catch (error) {
    // What has ended meanwhile has no limits.
    if (!isKagoError(error, 'wrong_state', 'not_found')) throw error
  }
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
  await thawTask(context, readContainer(row))
  if (row.state === 'paused') context.containers.updateTask(id, { state: 'running' }, 'quick')
}
