/** Joins the streams of a running container. */
import type { Duplex } from 'node:stream'
import { attachShim } from '../shim/client.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { liveTask } from './kill.ts'
import { spliceFrames } from './splice.ts'

export interface AttachOptions {
  stdin: boolean
  output: boolean
  size?: { columns: number; rows: number } | undefined
}

/** A stream of frames that waits for its client. */
export interface AttachedStream {
  /** Serves the client until the task has ended or the client has gone. */
  serve(client: Duplex): Promise<void>
}

/** @throws wrong_state if it does not run. */
export async function attachContainer(
  context: ContainerContext,
  text: string,
  options: AttachOptions,
): Promise<AttachedStream> {
  const container = findContainer(context, text)
  const task = liveTask(context, container)
  const shim = await attachShim(`${context.paths.bundle(container.id)}/shim.sock`, options).catch(
    (error: unknown) => {
      // It has ended since: that is what to say, not that its socket has gone.
      liveTask(context, findContainer(context, container.id))
      throw error
    },
  )
  if (options.size !== undefined) await task.shim.resize(options.size.columns, options.size.rows)
  return serveTask(context, container.id, shim)
}

/** The stream of a task whose end is recorded before its client learns of it. */
export function serveTask(context: ContainerContext, id: string, shim: Duplex): AttachedStream {
  const ended = context.tasks.get(id)?.ended
  return { serve: (client) => spliceFrames(shim, client, async () => await ended) }
}
