/** Sends a signal to a container's process 1. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { endBackOff } from './end-back-off.ts'
import { findContainer } from './find.ts'
import type { Container } from './record.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { normalizeSignal } from './signals.ts'
import type { LiveTask } from './task.ts'

/** @throws wrong_state if it does not run; invalid_argument for a signal that does not exist. */
export async function killContainer(
  context: ContainerContext,
  text: string,
  signal = 'KILL',
  { isManual = true }: { isManual?: boolean } = {},
): Promise<Container> {
  const container = findContainer(context, text)
  const name = normalizeSignal(signal)
  const isEnd = isManual && asksForEnd(container, name)
  if (container.state === 'restarting' && isEnd) return await killWaiting(context, container.id, name)
  const task = liveTask(context, container)
  await operate(context, { kind: 'container.kill', target: container.id }, async (operation) => {
    // Before the signal: the end may be here before its answer.
    if (isEnd) context.containers.updateTask(container.id, { manuallyStopped: 1 }, 'quick')
    await operation.step(`send SIG${name}`, { by: 'kill(2)', shell: `kill -${name} ${container.pid}` }, () =>
      task.shim.signal(name),
    )
    const attributes = { signal: name }
    context.events.publish({ type: 'container', action: 'kill', id: container.id, attributes })
    if (name !== 'KILL') return
    // A frozen process gets its signals when it thaws: Docker's users wait for that in vain.
    if (container.state === 'paused') {
      await operation.step('thaw it', { by: 'cgroup freezer' }, () => thaw(context, container))
    }
    await operation.step('wait for its end', { by: 'waitid(2), by the shim' }, async () => {
      // A pause that was under way may have frozen it since.
      while (!(await endsWithin(task, 1))) {
        if (context.containers.find(container.id)?.state === 'paused') await thaw(context, container)
      }
    })
  })
  return container
}

/** It may have been started by the time the lock is held; then the signal goes to that process. */
async function killWaiting(context: ContainerContext, id: string, signal: string): Promise<Container> {
  const found = await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    return container.state === 'restarting' ? await endBackOff(context, container, 'kill') : container
  })
  return isAlive(found.state) ? await killContainer(context, id, signal) : found
}

/** Whether the signal is one that ends it, so that its restart policy leaves it: SIGKILL, or its stop signal. */
function asksForEnd({ record }: Container, signal: string): boolean {
  return signal === 'KILL' || signal === normalizeSignal(record.options.stopSignal ?? 'TERM')
}

/** The running task of a container. @throws wrong_state */
export function liveTask(context: ContainerContext, container: Container): LiveTask {
  const task = context.tasks.get(container.id)
  if (task !== undefined) return task
  if (container.state === 'restarting') nextState(container.name, container.state, 'pause')
  throw notRunning(container)
}

/** Asks a runtime something of a container that runs: that it has ended since is said in kago's words, not in its. */
export async function askRuntime<T>(container: Container, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (isKagoError(error, 'wrong_state', 'not_found')) throw notRunning(container)
    throw error
  }
}

export function notRunning({ name, state }: Pick<Container, 'name' | 'state'>): KagoError {
  return new KagoError('wrong_state', `container ${name} is not running`, {
    hint: `start it with: kago start ${name}`,
    details: { state },
  })
}

/** False if it has not ended when the time is over; less than 0 seconds is for ever. */
export async function endsWithin(task: LiveTask, seconds: number): Promise<boolean> {
  if (seconds < 0) return await task.ended.then(() => true)
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => {
    late.resolve(false)
  }, seconds * 1000)
  try {
    return await Promise.race([task.ended.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** What has ended meanwhile needs it no more: cgroup v2 kills the frozen, v1 only when they thaw. */
export async function thaw(context: ContainerContext, container: Container): Promise<void> {
  try {
    await context.runtimes.get(container.record.runtime).resume(container.id)
  } catch (error) {
    if (!isKagoError(error, 'wrong_state', 'not_found')) throw error
  }
}
