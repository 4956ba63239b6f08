/** Starts a container: reads as the list of what starting one means. */
import type { Duplex } from 'node:stream'
import { type KagoError, toKagoError } from '../../shared/errors.ts'
import { handOver } from '../network/attach.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import { launchShim, shimCommand } from '../shim/launch.ts'
import { allDone } from './all-done.ts'
import { writeContainerBundle } from './bundle.ts'
import { cleanedUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { evidenceOfFailure } from './evidence.ts'
import { noHealthYet } from './health-state.ts'
import { findContainer } from './find.ts'
import { joinNetworks } from './join-networks.ts'
import { isAlive, nextState } from './lifecycle.ts'
import { watchTask } from './on-exit.ts'
import type { Container } from './record.ts'
import { type StartOptions, taskOptions } from './task-options.ts'

export interface StartedContainer {
  container: Container
  /** kago-frames from and to the shim, if `attach` was asked for. */
  attached: Duplex | undefined
}

/** Already running is success, unless someone wants to be attached from the first byte. */
export async function startContainer(
  context: ContainerContext,
  text: string,
  options: StartOptions = {},
): Promise<StartedContainer> {
  const { id } = findContainer(context, text)
  return await context.locks.hold(id, () => startUnlocked(context, id, options))
}

/** For a caller that holds the container's lock, which is held until a start that fails is undone. */
export async function startUnlocked(
  context: ContainerContext,
  id: string,
  options: StartOptions,
): Promise<StartedContainer> {
  const container = findContainer(context, id)
  if (container.state === 'running' && options.attach === undefined) return { container, attached: undefined }
  nextState(container.name, container.state, 'start')
  return await operate(context, { kind: 'container.start', target: id }, (operation) =>
    startSteps(context, operation, container, options),
  )
}

/** The steps of a start, for the verbs that include one. The caller holds the container's lock. */
export async function startSteps(
  context: ContainerContext,
  operation: Operation,
  container: Container,
  options: StartOptions,
): Promise<StartedContainer> {
  const { id, name } = container
  const { containers, paths } = context
  await cleanedUp(context, id)
  const failure = container.startedAt === null ? 'start-failed' : 'restart-failed'
  context.backOffs.cancel(id)
  containers.updateTask(
    id,
    {
      state: nextState(name, container.state, 'start'),
      error: null,
      manuallyStopped: 0,
      ...(options.isAutomatic !== true && {
        restartCount: 0,
        backOffMs: 0,
        restartAt: null,
      }),
    },
    'quick',
  )

  let attachedStream: Duplex | undefined
  try {
    const runtime = context.runtimes.get(container.record.runtime)
    const bundle = paths.bundle(id)
    const network = await joinNetworks(context, operation, container)
    const written = operation.step(
      'write the bundle',
      {
        by: `${bundle}/config.json`,
        shell: `mkdir -p ${bundle}/rootfs`,
        undo: ['container.delete-bundle', id],
      },
      () => writeContainerBundle(context, container, runtime, network.mode, options.size),
    )
    await allDone([network.connected(), written])

    const startedAt = Date.now()
    const launch = taskOptions(context, container, runtime, options)
    const { shim, attached, process } = await operation.step(
      'launch the shim: mount the root, run the process',
      {
        by: `kago-shim, ${runtime.name}`,
        shell: `cd ${bundle} && ${quoteWords(shimCommand(launch))}`,
        undo: ['container.end-task', id, failure],
      },
      async () => {
        const launched = await launchShim(launch, context.startShim)
        attachedStream = launched.attach
        try {
          const started = await launched.events.started
          return { shim: launched.events, attached: launched.attach, process: started }
        } catch (error) {
          throw runtime.explainFailure(bundle, toKagoError(error).message)
        }
      },
    )

    const task = { state: 'running', pid: process.pid, pidStart: process.startTime, startedAt } as const
    await operation.step('record that it runs', { by: 'kago.db' }, () => {
      // Before it is watched: its end may be known already, and is told after its beginning.
      context.events.record('quick', [{ type: 'container', action: 'start', id }], () => {
        const health = container.record.options.health && JSON.stringify(noHealthYet)
        containers.updateTask(id, { ...noEnd, ...task, health: health ?? null }, 'quick')
      })
      watchTask(context, id, shim)
      handOver(context.network, id)
    })
    return { container: { ...container, ...task }, attached }
  } catch (thrown) {
    const error = toKagoError(thrown)
    attachedStream?.destroy()
    const now = containers.find(id)
    if (now !== undefined && isAlive(now.state)) {
      const state = nextState(name, 'starting', failure)
      containers.updateTask(
        id,
        {
          state,
          pid: null,
          pidStart: null,
          error: error.message,
          evidence: JSON.stringify(evidenceOfFailure(error)),
          ...exitOf(error),
        },
        'quick',
      )
    }
    context.events.publish({ type: 'container', action: 'start-failed', id })
    throw error
  }
}

const noEnd = {
  finishedAt: null,
  exitStatus: null,
  exitSignal: null,
  oomKilled: 0,
  error: null,
  restartAt: null,
  evidence: null,
} as const

/** A command that cannot be run ends like a shell's: 126 or 127. */
function exitOf(error: KagoError): { exitStatus?: number } {
  const exitCode = error.details?.['exitCode']
  return typeof exitCode === 'number' ? { exitStatus: exitCode } : {}
}
