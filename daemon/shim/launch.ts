/** Starts a container under a shim of its own, which goes on without the daemon. */
import type { Duplex } from 'node:stream'
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
}

export interface LaunchedShim {
  events: ShimConnection
  /** kago-frames; present if `attach` was asked for. */
  attach: Duplex | undefined
}

/** How a shim's process is made: by the spawner, or by the daemon itself. */
export type StartShim = (command: ShimCommand) => Promise<StartedShim>

export interface ShimCommand {
  /** A program and its arguments. It finds the events connection at descriptor 3, the attached one at 4. */
  words: readonly [program: string, ...args: string[]]
  environment: Readonly<Record<string, string>>
  attach: boolean
}

export interface StartedShim {
  events: Duplex
  attach: Duplex | undefined
  /** What it says on stderr, kept until `stop`; absent where that goes to the daemon's log. */
  words?: { all: Promise<string>; stop: () => void }
}

/** Resolves when the shim is on its way; `events.started` says whether and when the container runs. */
export async function launchShim(options: LaunchOptions, start: StartShim): Promise<LaunchedShim> {
  const { events, attach, words } = await start({
    words: [options.program, ...shimArguments(options)],
    environment: options.environment ?? {},
    attach: options.attach !== undefined,
  })
  const connection = new ShimConnection(events, words && { explainDeath: () => words.all })
  // from here on the daemon may go: nothing of the container depends on this pipe
  if (words !== undefined) connection.started.then(words.stop, words.stop)
  return { events: connection, attach }
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
