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
  source: string
  /** Relative to the bundle. */
  target: string
  /** As in fstab; what is not a flag goes to the filesystem. */
  options: string[]
  /** Where relative names in source and options begin; the same for all mounts of a container. */
  from?: string
}

export interface LaunchOptions {
  /** Where kago-shim is. */
  program: string
  /** The working directory of shim and runtime; the other paths may be relative to it. */
  bundle: string
  mounts?: readonly ShimMount[] | undefined
  /** Make no mount namespace of its own: for exec, and for mounts that the host must see. */
  hostMounts?: boolean | undefined
  log?: { directory: string; maxBytes?: number | undefined; maxFiles?: number | undefined } | undefined
  /** Without it the container's stdin is /dev/null. */
  stdin?: boolean | undefined
  /** Stdin ends when the first client attached to it goes. */
  stdinOnce?: boolean | undefined
  /** `console-socket`: the runtime sends the terminal there; `pty`: the runtime's stdio is the terminal. */
  terminal?: 'console-socket' | 'pty' | undefined
  consoleSocket?: string | undefined
  size?: TerminalSize | undefined
  /** Where the runtime writes the pid of the container's process. */
  pidFile: string
  exitFile: string
  /** Where later clients connect. */
  socket?: string | undefined
  /** Attach from the first byte. */
  attach?: { output: boolean; stdin: boolean } | undefined
  oomScoreAdj?: number | undefined
  /** The command that starts the container and returns. */
  runtime: readonly string[]
  environment?: Record<string, string> | undefined
  /** Cancels a start that has not ended; a started container is not touched. */
  signal?: AbortSignal | undefined
}

export interface LaunchedShim {
  events: ShimConnection
  /** kago-frames; present if `attach` was asked for. */
  attach: Duplex | undefined
  shimPid: number
}

const keptWords = 8 * 1024

/** Resolves when the shim runs; `events.started` says whether and when the container does. */
export async function launchShim(options: LaunchOptions): Promise<LaunchedShim> {
  if (options.signal?.aborted) throw new KagoError('cancelled', 'cancelled')
  const child = spawn(options.program, shimArguments(options), {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(options.attach ? ['pipe' as const] : [])],
    ...(options.environment && { env: options.environment }),
  })
  const words = collectWords(child)
  const shimPid = await spawned(child, options.program)
  child.unref()
  const events = new ShimConnection(connectionOf(child, 3), { explainDeath: () => words.all })
  stopWith(events, options.signal, shimPid)
  // from here on the daemon may go: nothing of the container depends on this pipe
  events.started.then(words.stop, words.stop)
  return { events, attach: options.attach && connectionOf(child, 4), shimPid }
}

/** The command as a person would type it: without the connections that only a program can give it. */
export function shimCommand(options: LaunchOptions): string[] {
  return [options.program, ...commonArguments(options), '--', ...options.runtime]
}

/** The arguments `launchShim` gives. */
export function shimArguments(options: LaunchOptions): string[] {
  const { attach } = options
  const flags = (attach?.output ? attachFlags.output : 0) | (attach?.stdin ? attachFlags.stdin : 0)
  const connections = attach ? ['--attach-fd', '4', '--attach-flags', String(flags)] : []
  return [...commonArguments(options), '--events-fd', '3', ...connections, '--', ...options.runtime]
}

function commonArguments(options: LaunchOptions): string[] {
  const { bundle, log, size } = options
  const list: string[] = ['--bundle', bundle]
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) list.push(name, String(value))
  }
  const addPath = (name: string, path: string | undefined) => add(name, path && underBundle(bundle, path))
  add('--mount-from', mountDirectory(options.mounts ?? []))
  for (const { type, source, target, options: words } of options.mounts ?? [])
    list.push('--mount', type, source, target, words.join(','))
  if (options.hostMounts) list.push('--host-mounts')
  add('--log', log?.directory)
  add('--log-max-bytes', log?.maxBytes)
  add('--log-max-files', log?.maxFiles)
  if (options.stdinOnce) list.push('--stdin-once')
  else if (options.stdin) list.push('--stdin')
  add('--terminal', options.terminal)
  add('--size', size && `${size.columns}x${size.rows}`)
  addPath('--pid-file', options.pidFile)
  addPath('--console-socket', options.consoleSocket)
  addPath('--exit-file', options.exitFile)
  addPath('--socket', options.socket)
  add('--oom-score-adj', options.oomScoreAdj)
  return list
}

function mountDirectory(mounts: readonly ShimMount[]): string | undefined {
  const places = new Set(mounts.flatMap(({ from }) => from ?? []))
  if (places.size > 1)
    throw new KagoError('internal', 'the mounts of one container begin in several directories')
  return [...places][0]
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
