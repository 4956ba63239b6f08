/** `kago run` and `kago start --attach`: one connection that sees everything from the pull to the exit. */
import type { Duplex } from 'node:stream'
import { toKagoError } from '../../shared/errors.ts'
import type { CreateBody } from '../../shared/protocol/containers.ts'
import { encodeFrame, frameTypes } from '../../shared/protocol/frames.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { type AttachedStream, serveTask } from './attach.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { watchHangup } from './hangup.ts'
import { nextState } from './lifecycle.ts'
import { runContainer } from './run.ts'
import { type StartedContainer, startContainer } from './start.ts'

const progressBacklog = 256 * 1024

type Size = { columns: number; rows: number }

export interface RunAttachedBody {
  create: CreateBody
  attach?: { stdin?: boolean; output?: boolean } | undefined
  size?: Size | undefined
}

/**
 * The connection is upgraded at once: progress comes as event frames, a failure as an error frame, then output.
 * What is wrong with the request itself has been refused before.
 */
export async function runAttached(
  context: ContainerContext,
  body: RunAttachedBody,
  { signal, credentials }: { signal: AbortSignal; credentials?: Credentials | undefined },
): Promise<AttachedStream> {
  const attach = {
    stdin: body.attach?.stdin ?? body.create.stdin ?? false,
    output: body.attach?.output ?? true,
  }
  return {
    serve: (client) =>
      serveStart(context, client, (hangup) =>
        runContainer(context, body.create, {
          signal: AbortSignal.any([signal, hangup]),
          credentials,
          attach,
          size: body.size,
          report: (progress) => {
            // To a client that does not read, news is not kept; what was made is.
            if (progress.type !== 'created' && client.writableLength > progressBacklog) return
            client.write(encodeFrame(frameTypes.event, Buffer.from(JSON.stringify(progress))))
          },
        }),
      ),
  }
}

export async function startAttached(
  context: ContainerContext,
  text: string,
  body: { stdin?: boolean; size?: Size },
): Promise<AttachedStream> {
  const container = findContainer(context, text)
  nextState(container.name, container.state, 'start')
  const attach = { stdin: (body.stdin ?? false) && container.record.options.stdin, output: true }
  return {
    serve: (client) =>
      serveStart(context, client, () => startContainer(context, container.id, { attach, size: body.size })),
  }
}

/** `start` is given a signal that fires when the client goes before there is anything to serve it. */
async function serveStart(
  context: ContainerContext,
  client: Duplex,
  start: (hangup: AbortSignal) => Promise<StartedContainer>,
): Promise<void> {
  const hangup = watchHangup(client)
  let started: StartedContainer
  try {
    started = await start(hangup.signal)
  } catch (error) {
    client.end(encodeFrame(frameTypes.error, Buffer.from(JSON.stringify(toKagoError(error).toBody()))))
    return
  } finally {
    hangup.stop()
  }
  if (started.attached === undefined) return void client.end()
  await serveTask(context, started.container.id, started.attached).serve(client)
}
