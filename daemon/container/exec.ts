/** Runs another process in a running container, under a shim of its own: it outlives the daemon like the first one. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isKagoError, KagoError, toKagoError } from '../../shared/errors.ts'
import type { ExecBody } from '../../shared/protocol/containers.ts'
import { toolEnvironment } from '../host/exec.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import { readBundleSpec, writeProcessFile } from '../runtime/bundle.ts'
import { type LaunchedShim, type LaunchOptions, launchShim, shimCommand } from '../shim/launch.ts'
import type { AttachedStream } from './attach.ts'
import { lookUpUser } from './bundle.ts'
import type { ContainerContext } from './context.ts'
import { execProcess } from './exec-process.ts'
import { findContainer } from './find.ts'
import { endsWithin, liveTask, notRunning } from './kill.ts'
import type { Container } from './record.ts'
import { spliceFrames } from './splice.ts'
import type { LiveTask } from './task.ts'
import { consoleOf, terminalOptions } from './task-options.ts'

const endPatienceSeconds = 2

export async function execAttached(
  context: ContainerContext,
  text: string,
  body: ExecBody,
): Promise<AttachedStream> {
  const { shim } = await startExec(context, text, body, { output: true, stdin: body.stdin ?? false })
  const { attach } = shim
  if (attach === undefined) throw new KagoError('internal', 'the shim gave no stream to attach to')
  return { serve: (client) => spliceFrames(attach, client, async () => {}) }
}

export async function execDetached(
  context: ContainerContext,
  text: string,
  body: ExecBody,
): Promise<{ pid: number }> {
  return { pid: (await startExec(context, text, body, undefined)).pid }
}

/** @throws wrong_state if the container does not run; what the runtime says of a command it cannot execute. */
async function startExec(
  context: ContainerContext,
  text: string,
  body: ExecBody,
  attach: LaunchOptions['attach'],
): Promise<{ shim: LaunchedShim; pid: number }> {
  const container = findContainer(context, text)
  const task = refuseIdle(context, container)
  return await operate(context, { kind: 'container.exec', target: container.id }, (operation) =>
    execSteps(context, operation, container, body, { attach }).catch(async (error: unknown) => {
      throw await meanwhile(context, container, task, error)
    }),
  )
}

function refuseIdle(context: ContainerContext, container: Container): LiveTask {
  const task = liveTask(context, container)
  if (container.state !== 'paused') return task
  throw new KagoError('wrong_state', `container ${container.name} is paused`, {
    hint: `let it go on first: kago unpause ${container.name}`,
  })
}

/** No lock is held: what has ended or been frozen since fails in many ways, and one sentence says all of them. */
async function meanwhile(
  context: ContainerContext,
  { id }: Container,
  task: LiveTask,
  error: unknown,
): Promise<unknown> {
  if (!isKagoError(toKagoError(error), 'internal', 'corrupt', 'wrong_state')) return error
  try {
    // The kernel ends the others of a container before its first process, whose end is what is recorded.
    const hasEnded = await endsWithin(task, endPatienceSeconds)
    const now = findContainer(context, id)
    if (hasEnded) return notRunning(now)
    refuseIdle(context, now)
  } catch (since) {
    return since
  }
  return error
}

/** The steps of an exec; `execId` names its files, and is made up if it is not given. */
export async function execSteps(
  context: ContainerContext,
  operation: Operation,
  container: Container,
  body: ExecBody,
  { attach, execId = randomBytes(8).toString('hex') }: { attach: LaunchOptions['attach']; execId?: string },
): Promise<{ shim: LaunchedShim; pid: number }> {
  const { id, record } = container
  const runtime = context.runtimes.get(record.runtime)
  const bundle = context.paths.bundle(id)
  const file = (suffix: string) => join(bundle, `exec-${execId}${suffix}`)
  const files = ['.json', '.pid', '.exit', '.sock', '.sh'].map(file)
  const forget = () => {
    for (const path of files) rmSync(path, { force: true })
  }

  const processFile = await operation.step('write the process', { by: file('.json') }, async () => {
    const user = await lookUpUser(
      context,
      container,
      body.user ?? record.process.user,
      record.options.groupAdd,
    )
    const process = execProcess(readBundleSpec(bundle), body, user, context.host)
    const path = writeProcessFile(bundle, execId, process)
    await runtime.prepareExec({ id, bundle, processFile: path })
    return path
  })
  const terminal = terminalOptions(runtime, body.terminal ?? false, `exec-${execId}.sock`)
  const launch: LaunchOptions = {
    program: context.paths.programs.shim,
    environment: toolEnvironment,
    bundle,
    hostMounts: true,
    stdin: body.stdin,
    stdinOnce: body.stdin === true && body.terminal !== true,
    ...terminal,
    size: body.size,
    pidFile: file('.pid'),
    exitFile: file('.exit'),
    attach,
    runtime: runtime.execCommand({ id, bundle, processFile, pidFile: file('.pid'), ...consoleOf(terminal) }),
  }
  return await operation.step(
    'launch a shim: enter the container, run the process',
    {
      by: `kago-shim, ${runtime.name}`,
      shell: `cd ${bundle} && ${quoteWords(shimCommand(launch))}`,
    },
    async () => {
      const shim = await launchShim(launch, context.startShim).catch((error: unknown) => {
        forget()
        throw error
      })
      shim.events.exited.then(forget, forget).catch((error: unknown) => {
        context.log.warn({ err: error, container: id }, 'files of an exec stay behind')
      })
      try {
        return { shim, pid: (await shim.events.started).pid }
      } catch (error) {
        shim.attach?.destroy()
        throw runtime.explainFailure(bundle, toKagoError(error).message)
      }
    },
  )
}
