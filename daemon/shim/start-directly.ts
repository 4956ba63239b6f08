/** Starts a shim as a child of the daemon: where there is no spawner. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import type { ShimCommand, StartedShim } from './launch.ts'

const keptWords = 8 * 1024

export async function startShimDirectly({
  words: [program, ...args],
  environment,
  attach,
}: ShimCommand): Promise<StartedShim & { pid: number }> {
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(attach ? ['pipe' as const] : [])],
    env: environment,
  })
  const words = collectWords(child)
  const pid = await spawned(child, program)
  child.unref()
  return {
    events: connectionOf(child, 3),
    attach: attach ? connectionOf(child, 4) : undefined,
    words,
    pid,
  }
}

function connectionOf(child: ChildProcess, fd: 3 | 4): Duplex {
  const stream = child.stdio[fd]
  // Who is to read it may listen only later.
  if (stream instanceof Duplex) return stream.on('error', () => stream.destroy())
  throw new KagoError('internal', `the shim's descriptor ${fd} is not a connection`)
}

async function spawned(child: ChildProcess, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.once('spawn', resolve)
  child.once('error', (cause) =>
    reject(
      new KagoError('internal', `cannot start the shim ${path}`, {
        cause,
        hint: 'build it with: npm run build',
        details: { stage: 'spawn' },
      }),
    ),
  )
  await promise
  if (child.pid === undefined) throw new KagoError('internal', `cannot start the shim ${path}`)
  return child.pid
}

/** The shim's stderr, kept only until the container has started. */
function collectWords(child: ChildProcess): { all: Promise<string>; stop: () => void } {
  const { promise: all, resolve } = Promise.withResolvers<string>()
  let text = ''
  child.stderr?.setEncoding('utf8')
  child.stderr?.on('data', (chunk: string) => {
    text = (text + chunk).slice(-keptWords)
  })
  child.stderr?.on('error', () => child.stderr?.destroy())
  child.stderr?.on('close', () => resolve(text))
  return { all, stop: () => void child.stderr?.destroy() }
}
