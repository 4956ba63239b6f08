/** Starts the program that works in a container's root, and turns its end, whatever it is, into one outcome. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { KagoError, toKagoError } from '../../../shared/errors.ts'
import type { FileStat } from '../../../shared/protocol/files.ts'
import { toolEnvironment } from '../../host/exec.ts'
import { fileError } from '../../host/files.ts'
import type { ContainerContext } from '../context.ts'
import type { TreeJob, TreeMessage } from './job.ts'

export interface TreeRun {
  /** The first message that tells what the job found. Rejects if the job fails before it. */
  readonly stat: Promise<FileStat>
  /** What the job writes. Ends with the job's error, if it fails; leaving a loop over it ends the job. */
  readonly bytes: AsyncGenerator<Buffer, void, undefined>
  /** The same as a stream, for a reply: quicker than a loop. Instead of `bytes`. */
  stream(): Readable
  /** Of a job that has succeeded. Somebody must read `bytes` meanwhile. */
  readonly done: Promise<Extract<TreeMessage, { type: 'done' }>>
}

const heapMebibytes = 512
const keptErrorBytes = 4096

/** The child is gone when `done` has settled. */
export function runTree(
  { paths }: Pick<ContainerContext, 'paths'>,
  job: TreeJob,
  { input, signal }: { input?: Readable; signal?: AbortSignal | undefined } = {},
): TreeRun {
  signal?.throwIfAborted()
  const program = [process.execPath, `--max-old-space-size=${heapMebibytes}`, paths.programs.tree]
  const words = [...program, JSON.stringify(job)]
  // What it mounts is for it alone, and gone with it.
  const isMounting = 'root' in job && job.root.by === 'mounts'
  const [command = '', ...args] = isMounting
    ? ['unshare', '--mount', '--propagation', 'private', '--', ...words]
    : words
  const child = spawn(command, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...toolEnvironment },
    cwd: '/',
  })
  const kill = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', kill, { once: true })

  const stat = Promise.withResolvers<FileStat>()
  const ended = Promise.withResolvers<{ status: number | null; killedBy: NodeJS.Signals | null }>()
  let last: TreeMessage | undefined
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-keptErrorBytes)
  })
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
    // Written by our own program.
    last = JSON.parse(line) as TreeMessage
    if (last.type === 'stat') stat.resolve(last.stat)
  })
  child.on('error', ended.reject).on('close', (status, killedBy) => ended.resolve({ status, killedBy }))
  if (input !== undefined && child.stdin !== null) {
    // A child that ends before it has read everything says why itself.
    pipeline(input, child.stdin).catch((error: unknown) => {
      if (input.errored !== null || input.readableAborted) kill()
      said += String(error)
    })
  }

  const finish = async () => {
    try {
      const { status, killedBy } = await ended.promise
      signal?.throwIfAborted()
      if (last?.type === 'error') throw KagoError.fromBody(last.error)
      if (last === undefined || status !== 0) throw crashed(status, killedBy, said)
      return last.type === 'done' ? last : { type: 'done' as const, bytes: 0 }
    } catch (error) {
      throw fileError(error, 'cannot start the program for files')
    } finally {
      signal?.removeEventListener('abort', kill)
    }
  }
  const done = finish()
  done.then(
    () => stat.reject(new KagoError('internal', 'the program for files found nothing')),
    (error: unknown) => stat.reject(error),
  )
  stat.promise.catch(() => undefined)

  async function* bytes(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (child.stdout !== null) for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk
      await done
    } finally {
      kill()
    }
  }
  const stream = () => {
    const whole = new PassThrough({ highWaterMark: 1 << 20 })
    child.stdout?.pipe(whole, { end: false })
    whole.on('close', kill)
    done.then(
      () => whole.end(),
      (error: unknown) => whole.destroy(toKagoError(error)),
    )
    return whole
  }
  return { stat: stat.promise, bytes: bytes(), stream, done }
}

function crashed(status: number | null, killedBy: string | null, said: string): KagoError {
  const how = killedBy === null ? `ended with status ${status}` : `was killed by ${killedBy}`
  return new KagoError('internal', `the program for files ${how}`, { details: { stderr: said } })
}
