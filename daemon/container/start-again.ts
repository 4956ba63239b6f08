/** Starts a container because its restart policy says so: after its end, after a failed start, or with the daemon. */
import { toKagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'
import { nextBackOff, startsWithDaemon, wantsRestart } from './restart-policy.ts'
import { startSteps } from './start.ts'

/** What a back-off leads to. A failure is in the record and in the log; nobody waits for this. */
export async function startAgain(context: ContainerContext, id: string): Promise<void> {
  try {
    await context.locks.hold(id, async () => {
      const row = context.containers.find(id)
      if (row?.state !== 'restarting') return
      const container = readContainer(row)
      await operate(context, { kind: 'container.start', target: id }, (operation) =>
        startSteps(context, operation, container, { isAutomatic: true }),
      ).catch((error: unknown) => {
        context.log.warn({ container: id, reason: toKagoError(error).message }, 'the policy’s start failed')
        backOffAgain(context, id)
      })
    })
  } catch (error) {
    context.log.error({ err: error, container: id }, 'a restart policy cannot be followed')
  }
}

/** A start that fails counts like a run that fails: what it needs (a port, a disk) may come yet. */
function backOffAgain(context: ContainerContext, id: string): void {
  const row = context.containers.find(id)
  if (row === undefined || isAlive(row.state)) return
  const { restart } = readContainer(row).record.options
  const end = { exitStatus: row.exitStatus ?? 1, isManual: false, restartCount: row.restartCount }
  if (!wantsRestart(restart, end)) return
  waitForStart(context, row, nextBackOff(row.backOffMs, 0))
}

/** Records that it waits for its next start, and has it come. */
function waitForStart(
  context: ContainerContext,
  { id, name, state, restartCount }: Omit<Container, 'record'>,
  waitMs: number,
): void {
  context.containers.updateTask(
    id,
    {
      state: state === 'restarting' ? state : nextState(name, state, 'back-off'),
      restartCount: restartCount + 1,
      backOffMs: waitMs,
      restartAt: Date.now() + waitMs,
      manuallyStopped: 0,
    },
    'quick',
  )
  context.backOffs.schedule(id, waitMs)
}

/** Those that a start of the daemon starts too. They wait until `backOffs` is opened. */
export function followPolicies(context: ContainerContext): void {
  for (const row of context.containers.list()) {
    if (isAlive(row.state) || row.state === 'removing') continue
    const { restart } = readContainer(row).record.options
    const isWaiting = row.restartAt !== null
    const task = { startedAt: row.startedAt, isManual: row.manuallyStopped === 1, isWaiting }
    if (row.state === 'restarting') {
      context.backOffs.schedule(
        row.id,
        Math.min(Math.max(0, (row.restartAt ?? 0) - Date.now()), row.backOffMs),
      )
    } else if (startsWithDaemon(restart, task)) {
      context.containers.updateTask(
        row.id,
        { state: nextState(row.name, row.state, 'back-off'), backOffMs: 0, restartAt: Date.now() },
        'quick',
      )
      context.backOffs.schedule(row.id, 0)
    }
  }
}
