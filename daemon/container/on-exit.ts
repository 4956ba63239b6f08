/** What happens when a container's process has ended: its status is recorded, then what it held is given back. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isKagoError } from '../../shared/errors.ts'
import type { ContainerExit } from '../../shared/protocol/frames.ts'
import { readCgroupLayout, readMemoryUse } from '../host/cgroup.ts'
import type { TaskRow } from '../state/containers.ts'
import type { KagoEvent } from '../events/bus.ts'
import { readExitFile, type ShimConnection } from '../shim/client.ts'
import { cgroupsPath } from './create-options.ts'
import { cleanUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { deleteBundle, deleteFiles } from './delete-files.ts'
import { evidenceOfEnd } from './evidence.ts'
import { leaveNetworks } from './leave-networks.ts'
import { removeAnonymousVolumes } from './remove-volumes.ts'
import { leaveUnit } from './leave-unit.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'
import { measureLater } from './usage.ts'
import { forgetVolumeUsage } from './volume-usage.ts'
import { nextBackOff, wantsRestart } from './restart-policy.ts'

/** How long a full disk is given before the next try. */
const recordAgainMs = 500

/** Waits for the end of a task that runs; its `ended` settles once the end is recorded. */
export function watchTask(context: ContainerContext, id: string, shim: ShimConnection): void {
  // A daemon that ends lets go of its tasks first: that their connections close then is not their end.
  const isOurs = () => context.tasks.get(id)?.shim === shim
  const record = async (exit: ContainerExit | undefined) => {
    for (let isFirst = true; isOurs(); isFirst = false) {
      try {
        recordExit(context, id, exit)
      } catch (error) {
        if (!isKagoError(error, 'exhausted', 'unavailable')) throw error
        // The exit file keeps it until then, also for a daemon that is started later.
        if (isFirst) context.log.error({ err: error, container: id }, 'its end cannot be recorded yet')
        await sleep(recordAgainMs)
      }
    }
  }
  const ended = shim.exited.then(record, async (error: unknown) => {
    const written = await writtenExit(context, id)
    if (isOurs() && written === undefined)
      context.log.warn({ err: error, container: id }, 'the shim is gone, and with it the exit status')
    await record(written)
  })
  ended.catch((error: unknown) => {
    context.log.error({ err: error, container: id }, 'its end could not be recorded')
  })
  context.tasks.set(id, { shim, ended })
  context.health.begin(id)
  void leaveUnit(context, id)
}

/** A shim that died may have written the exit before. What cannot be read says nothing. */
async function writtenExit({ paths, log }: ContainerContext, id: string): Promise<ContainerExit | undefined> {
  try {
    return await readExitFile(join(paths.bundle(id), 'exit'))
  } catch (error) {
    log.warn({ err: error, container: id }, 'its exit file cannot be read')
    return undefined
  }
}

/** Lets go of all tasks; they go on without the daemon. */
export function releaseTasks({ tasks }: ContainerContext): void {
  const released = [...tasks.values()]
  tasks.clear()
  for (const { shim } of released) shim.close()
}

/**
 * Writes the end into the record: `exit` as the shim wrote it, or undefined if nobody knows.
 * Deleting what is left goes on after it has returned.
 */
export function recordExit(context: ContainerContext, id: string, exit: ContainerExit | undefined): void {
  const { containers } = context
  const row = containers.find(id)
  if (row === undefined) return letGo(context, id)
  const container = readContainer(row)
  const autoRemove = container.record.options.autoRemove && context.tasks.get(id)?.isRestarting !== true
  const isRecorded = !isAlive(row.state)
  const end = isRecorded ? undefined : describeEnd(container, exit)
  const events: KagoEvent[] = [{ type: 'container', action: 'exit', id, status: exit?.status ?? null }]
  if (end?.oomKilled === 1) events.unshift({ type: 'container', action: 'oom', id })
  if (autoRemove) events.push({ type: 'container', action: 'remove', id })
  context.events.record(isStopKept(container) ? 'durable' : 'quick', events, () => {
    if (autoRemove) containers.remove(id, 'quick')
    else if (end !== undefined) containers.updateTask(id, end, 'quick')
  })
  letGo(context, id)
  if (end?.state === 'restarting') context.backOffs.schedule(id, end.backOffMs ?? 0)
  cleanUp(context, id, () =>
    giveBack(context, container, { isLost: exit === undefined, isRemoved: autoRemove }),
  )
}

function describeEnd(container: Container, exit: ContainerExit | undefined): Partial<TaskRow> {
  const { id, name, state } = container
  const finishedAt = exit === undefined ? null : Date.parse(exit.exitedAt)
  const again = nextStart(container, exit?.status ?? null, finishedAt ?? Date.now())
  const event = again !== undefined ? 'back-off' : exit === undefined ? 'lose' : 'exit'
  // The kernel's own count, read before the cgroup goes.
  const memory = readMemoryUse(readCgroupLayout(), cgroupsPath(id))
  return {
    state: nextState(name, state, event),
    ...again,
    pid: null,
    pidStart: null,
    finishedAt,
    exitStatus: exit?.status ?? null,
    exitSignal: exit?.signal ?? null,
    oomKilled: (memory?.oomKills ?? 0) > 0 ? 1 : 0,
    error: exit === undefined ? 'its shim died: the exit status is unknown' : null,
    evidence: JSON.stringify(evidenceOfEnd(exit, memory, isManualEnd(container))),
  }
}

/** What is recorded if the restart policy wants it back. */
function nextStart(
  container: Container,
  exitStatus: number | null,
  finishedAt: number,
): { restartCount: number; backOffMs: number; restartAt: number } | undefined {
  const { startedAt, record, restartCount, backOffMs } = container
  const isManual = isManualEnd(container)
  if (!wantsRestart(record.options.restart, { exitStatus, isManual, restartCount })) return undefined
  const waitMs = nextBackOff(backOffMs, finishedAt - (startedAt ?? finishedAt))
  return { restartCount: restartCount + 1, backOffMs: waitMs, restartAt: Date.now() + waitMs }
}

function isManualEnd({ state, manuallyStopped }: Container): boolean {
  return manuallyStopped === 1 || state === 'stopping'
}

/** That somebody has stopped it must outlive a power cut where the next start of the daemon asks. */
function isStopKept({ record, manuallyStopped }: Container): boolean {
  return manuallyStopped === 1 && record.options.restart?.policy === 'unless-stopped'
}

function letGo({ tasks, health }: ContainerContext, id: string): void {
  health.end(id)
  tasks.get(id)?.shim.close()
  tasks.delete(id)
}

/** The runtime's state, the cgroup, the bundle; all files too if the container goes. */
async function giveBack(
  context: ContainerContext,
  { id, record }: Container,
  { isLost, isRemoved }: { isLost: boolean; isRemoved: boolean },
): Promise<void> {
  forgetVolumeUsage(context, { record })
  const leaving = leaveNetworks(context, id, { isRemoved })
  // A process that is known to have ended need not be looked for first.
  await context.runtimes.get(record.runtime).delete(id, { force: isLost })
  if (isRemoved) {
    await deleteFiles(context, id)
    await removeAnonymousVolumes(context, { record })
  } else await deleteBundle(context, id)
  await leaving
  if (!isRemoved) measureLater(context, [id])
}
