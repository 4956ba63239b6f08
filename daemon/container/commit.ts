/** Makes an image of a container: its image's layers, and one more of what it changed. */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { KagoError } from '../../shared/errors.ts'
import { shortId } from '../../shared/id.ts'
import type { ImageConfig, ImageExecution } from '../../shared/oci/image-config.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import { applyChanges } from '../image/change.ts'
import { readImageConfig } from '../image/config.ts'
import { makeImage, type NewLayer, parseNewName, withScratch } from '../image/make-image.ts'
import { familiarName } from '../image/names.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { changesJob } from './changes.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import type { Container } from './record.ts'
import { runTree } from './tree/run-tree.ts'

export interface CommitBody {
  name?: string | undefined
  author?: string | undefined
  message?: string | undefined
  changes?: readonly string[] | undefined
  /** Its processes stand still while its files are read, unless this says no. */
  pause?: boolean | undefined
}

/** @throws wrong_state if the image is gone that the container was made from */
export async function commitContainer(
  context: ContainerContext,
  text: string,
  body: CommitBody,
  options: { report: Report; signal: AbortSignal },
): Promise<{ id: string; name?: string }> {
  const { id } = findContainer(context, text)
  const name = body.name === undefined ? undefined : parseNewName(body.name)
  return await operate(
    context,
    { kind: 'container.commit', target: id, signal: options.signal },
    (operation) =>
      withScratch(context.image, async (scratch) => {
        const container = findContainer(context, id)
        const row = context.image.images.find(container.record.image.id)
        if (row === undefined) throw imageGone(container)
        const before = await readImageConfig(context.image, row)
        const config = configOf(container, before, body)
        const layer = await readLayer(
          context,
          operation,
          id,
          join(scratch, 'layer'),
          body.pause ?? true,
          options.signal,
        )
        const base = context.image.images.layers(row.id)
        const made = await makeImage(context.image, operation, { base, layer, config, name }, options)
        const familiar = name === undefined ? undefined : familiarName(name)
        context.events.publish({ type: 'image', action: 'commit', name: familiar ?? made })
        return { id: made, ...(familiar !== undefined && { name: familiar }) }
      }),
  )
}

/** The container's lock is held as long as its processes stand still, so that nobody else lets them go. */
async function readLayer(
  context: ContainerContext,
  operation: Operation,
  id: string,
  path: string,
  pause: boolean,
  signal: AbortSignal,
): Promise<NewLayer> {
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    const runtime = context.runtimes.get(container.record.runtime)
    const mustPause = pause && container.state === 'running'
    if (mustPause) {
      await operation.step(
        'freeze its processes',
        { by: 'cgroup freezer', undo: ['container.thaw', id] },
        () => runtime.pause(id),
      )
    }
    const layer = await operation.step('read what it changed', { by: 'kago-tree, openat2(2)' }, async () => {
      const run = runTree(context, changesJob(context, container, 'layer'), { signal })
      run.done.catch(() => undefined)
      await pipeline(
        Readable.from(run.bytes, { objectMode: false }),
        createWriteStream(path, { mode: 0o600 }),
      )
      const { bytes, diffId } = await run.done
      if (diffId === undefined) throw new KagoError('internal', 'the program for files gave no digest')
      return { path, digest: diffId, diffId, size: bytes, compression: 'none' as const }
    })
    if (mustPause) {
      await operation.step('let its processes go on', { by: 'cgroup freezer' }, () => runtime.resume(id))
    }
    return layer
  })
}

function configOf(container: Container, before: ImageConfig, body: CommitBody): ImageConfig {
  const created = new Date().toISOString()
  const { author, message, changes = [] } = body
  const { record } = container
  return {
    ...before,
    created,
    ...(author !== undefined && { author }),
    config: applyChanges(executionOf(container, before.config), changes),
    history: [
      ...before.history,
      {
        created,
        created_by: record.process.args.join(' '),
        ...(author !== undefined && { author }),
        ...(message !== undefined && { comment: message }),
      },
    ],
  }
}

/** What the image says, with what the container was asked for in its place, as Docker does. */
function executionOf({ record: { options } }: Container, image: ImageExecution): ImageExecution {
  const { entrypoint, command } = options
  const isBare = entrypoint?.length === 1 && entrypoint[0] === ''
  const { Cmd, Entrypoint, ...rest } = image
  const entry = entrypoint === undefined ? Entrypoint : isBare ? undefined : entrypoint
  const words = command ?? (entrypoint === undefined ? Cmd : undefined)
  return {
    ...rest,
    ...(entry !== undefined && { Entrypoint: entry }),
    ...(words !== undefined && { Cmd: words }),
    Env: mergeEnvironment(image.Env ?? [], options.env),
    ...(options.user !== undefined && { User: options.user }),
    ...(options.workingDir !== undefined && { WorkingDir: options.workingDir }),
    ...(options.stopSignal !== undefined && { StopSignal: options.stopSignal }),
    Labels: { ...image.Labels, ...options.labels },
  }
}

/** A bare name removes what the image sets. */
function mergeEnvironment(image: readonly string[], own: readonly string[]): string[] {
  const variables = new Map(image.map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  for (const entry of own) {
    const name = entry.split('=', 1)[0] ?? ''
    if (entry.includes('=')) variables.set(name, entry)
    else variables.delete(name)
  }
  return [...variables.values()]
}

function imageGone({ name, record }: Container): KagoError {
  return new KagoError('wrong_state', `the image of container ${name} is gone: ${shortId(record.image.id)}`, {
    hint: `keep its files instead: kago export ${name} | kago import - NAME`,
  })
}
