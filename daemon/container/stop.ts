/** Stops a container: its stop signal first, SIGKILL when its time is up. */
import { type Operation, operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { endBackOff } from './end-back-off.ts'
import { findContainer } from './find.ts'
import { endsWithin, liveTask, thaw } from './kill.ts'
import { isAlive, nextState } from './lifecycle.ts'
import type { Container } from './record.ts'
import { normalizeSignal } from './signals.ts'

export interface StopOptions {
  /** Seconds until SIGKILL; -1 waits for ever. The container's own setting, or 10, if absent. */
  timeoutSeconds?: number | undefined
  signal?: string | undefined
}

/** A container that does not run is stopped already: success. */
export async function stopContainer(
  context: ContainerContext,
  text: string,
  options: StopOptions = {},
): Promise<Container> {
  const { id, state } = findContainer(context, text)
  // Somebody stops it already, and may be more patient: from there nothing but its end can come, so both may go on.
  if (state === 'stopping') return await stopUnlocked(context, id, options)
  return await context.locks.hold(id, () => stopUnlocked(context, id, options))
}

/** For a caller that holds the container's lock. */
export async function stopUnlocked(
  context: ContainerContext,
  id: string,
  options: StopOptions,
): Promise<Container> {
  const container = findContainer(context, id)
  if (container.state === 'restarting') return await endBackOff(context, container, 'stop')
  if (!isAlive(container.state)) return container
  await operate(context, { kind: 'container.stop', target: id }, (operation) =>
    stopSteps(context, operation, container, options),
  )
  context.events.publish({ type: 'container', action: 'stop', id })
  return container
}

async function stopSteps(
  context: ContainerContext,
  operation: Operation,
  container: Container,
  options: StopOptions,
): Promise<void> {
  const { id, name, pid, record } = container
  const task = liveTask(context, container)
  const signal = normalizeSignal(options.signal ?? record.options.stopSignal ?? 'TERM')
  const seconds = options.timeoutSeconds ?? record.options.stopTimeoutSeconds ?? 10

  const recorded = { by: 'kago.db', undo: ['container.still-runs', id, container.state] } as const
  await operation.step('record that it is to stop', recorded, () => {
    if (container.state !== 'stopping') {
      const state = nextState(name, container.state, 'stop')
      context.containers.updateTask(id, { state, manuallyStopped: 1 }, 'quick')
    }
  })
  if (container.state === 'paused') {
    await operation.step('thaw it', { by: 'cgroup freezer' }, () => thaw(context, container))
  }
  if (seconds !== 0) {
    await operation.step(`send SIG${signal}`, { by: 'kill(2)', shell: `kill -${signal} ${pid}` }, () =>
      task.shim.signal(signal),
    )
    const ended = await operation.step(`wait for its end`, { by: 'waitid(2), by the shim' }, () =>
      endsWithin(task, seconds),
    )
    if (ended) return
  }
  await operation.step('send SIGKILL', { by: 'kill(2)', shell: `kill -KILL ${pid}` }, async () => {
    await task.shim.signal('KILL')
    await task.ended
  })
}
