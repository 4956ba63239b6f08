/** Starts a container under a shim of its own, which goes on without the daemon. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import type { TerminalSize } from '../../shared/protocol/frames.ts'
import { attachFlags } from '../../shared/protocol/frames.ts'
import { ShimConnection } from './client.ts'

export interface ShimMount {
  type: string
  /** Relative to `mountFrom`, like every directory named in the options. */
  source: string
  /** Relative to the bundle. */
  target: string
  /** As in fstab; what is not a flag goes to the filesystem. */
  options: string[]
}

export interface LaunchShimOptions {
  /** Where kago-shim is. */
  shim: string
  /** The working directory of shim and runtime; the other paths may be relative to it. */
  bundle: string
  mountFrom?: string
  mounts?: ShimMount[]
  /** Make no mount namespace of its own: for exec, and for mounts that the host must see. */
  hostMounts?: boolean
  log?: { directory: string; maxBytes?: number; maxFiles?: number }
  /** `once`: it ends when the first client attached to it goes. */
  stdin?: 'none' | 'open' | 'once'
  /** `console-socket`: the runtime sends the terminal there; `pty`: the runtime's stdio is the terminal. */
  terminal?: { kind: 'console-socket'; socket: string } | { kind: 'pty' }
  size?: TerminalSize
  /** Where the runtime writes the pid of the container's process. */
  pidFile: string
  exitFile: string
  /** Where later clients connect. */
  socket?: string
  /** Attach from the first byte. */
  attach?: { output: boolean; stdin: boolean }
  oomScoreAdj?: number
  /** The command that starts the container and returns. */
  runtime: string[]
  environment?: Record<string, string>
  /** Cancels a start that has not ended; a started container is not touched. */
  signal?: AbortSignal
}

export interface LaunchedShim {
  events: ShimConnection
  /** kago-frames; present if `attach` was asked for. */
  attach: Duplex | undefined
  shimPid: number
}

const keptWords = 8 * 1024

/** Resolves when the shim runs; `events.started` says whether and when the container does. */
export async function launchShim(options: LaunchShimOptions): Promise<LaunchedShim> {
  if (options.signal?.aborted) throw new KagoError('cancelled', 'cancelled')
  const child = spawn(options.shim, shimArguments(options), {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(options.attach ? ['pipe' as const] : [])],
    ...(options.environment && { env: options.environment }),
  })
  const words = collectWords(child)
  const shimPid = await spawned(child, options.shim)
  child.unref()
  const events = new ShimConnection(connectionOf(child, 3), { explainDeath: () => words.all })
  stopWith(events, options.signal, shimPid)
  // from here on the daemon may go: nothing of the container depends on this pipe
  events.started.then(words.stop, words.stop)
  return { events, attach: options.attach && connectionOf(child, 4), shimPid }
}

/** The command line after `kago-shim`: what a person would type. */
export function shimArguments(options: LaunchShimOptions): string[] {
  const list: string[] = ['--bundle', options.bundle]
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) list.push(name, String(value))
  }
  const path = (name: string, value: string | undefined) =>
    add(name, value && underBundle(options.bundle, value))
  add('--mount-from', options.mountFrom)
  for (const { type, source, target, options: words } of options.mounts ?? [])
    list.push('--mount', type, source, target, words.join(','))
  if (options.hostMounts) list.push('--host-mounts')
  add('--log', options.log?.directory)
  add('--log-max-bytes', options.log?.maxBytes)
  add('--log-max-files', options.log?.maxFiles)
  if (options.stdin === 'open') list.push('--stdin')
  if (options.stdin === 'once') list.push('--stdin-once')
  add('--terminal', options.terminal?.kind)
  add('--size', options.size && `${options.size.columns}x${options.size.rows}`)
  path('--pid-file', options.pidFile)
  if (options.terminal?.kind === 'console-socket') path('--console-socket', options.terminal.socket)
  path('--exit-file', options.exitFile)
  path('--socket', options.socket)
  add('--events-fd', 3)
  if (options.attach) {
    add('--attach-fd', 4)
    add(
      '--attach-flags',
      (options.attach.output ? attachFlags.output : 0) | (options.attach.stdin ? attachFlags.stdin : 0),
    )
  }
  add('--oom-score-adj', options.oomScoreAdj)
  return [...list, '--', ...options.runtime]
}

/** Short enough for a socket's address, which has 107 bytes. */
function underBundle(bundle: string, path: string): string {
  const prefix = bundle.endsWith('/') ? bundle : `${bundle}/`
  return path.startsWith(prefix) ? path.slice(prefix.length) : path
}

function connectionOf(child: ChildProcess, fd: 3 | 4): Duplex {
  const stream = child.stdio[fd]
  if (stream instanceof Duplex) return stream
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

/** SIGTERM ends a shim only while it is starting; later it is ignored. */
function stopWith(events: ShimConnection, signal: AbortSignal | undefined, shimPid: number): void {
  if (signal === undefined) return
  const abort = () => {
    try {
      process.kill(shimPid, 'SIGTERM')
    } catch (error) {
      // it has ended already, which is what was wanted
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
  const release = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  events.started.then(release, release)
}
