/** What the shim is told about a container's task. */
import { join } from 'node:path'
import { toolEnvironment } from '../host/exec.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { LaunchOptions } from '../shim/launch.ts'
import { subpathMounts } from './mount-sources.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'

export interface StartOptions {
  /** A connection that sees the task's output from its first byte, and may write to its stdin. */
  attach?: { stdin: boolean; output: boolean } | undefined
  /** Of the terminal. */
  size?: { columns: number; rows: number } | undefined
  /** Its restart policy starts it, nobody else. */
  isAutomatic?: boolean | undefined
}

export function taskOptions(
  context: ContainerContext,
  container: Container,
  runtime: Runtime,
  { attach, size }: StartOptions,
): LaunchOptions {
  const { paths, config, image } = context
  const { id, record } = container
  const { options } = record
  const bundle = paths.bundle(id)
  const pidFile = join(bundle, 'pid')
  const terminal = terminalOptions(runtime, options.terminal, 'console.sock')
  return {
    program: paths.programs.shim,
    environment: toolEnvironment,
    bundle,
    mounts: [
      ...image.snapshotter.mounts(paths.container(id), record.chainIds),
      ...subpathMounts(context, container),
    ],
    // What is mounted below a shared bind is to be seen by the machine, and so must be the root.
    hostMounts: options.mounts.some(({ propagation = '' }) => propagation.endsWith('shared')),
    log: { directory: paths.log(id), maxBytes: config.logMaxBytes, maxFiles: config.logMaxFiles },
    stdin: options.stdin,
    // As Docker: `echo hi | kago run -i` ends the input of its container; a terminal can be left and joined again.
    stdinOnce: options.stdin && !options.terminal && attach?.stdin === true,
    ...terminal,
    size,
    pidFile,
    exitFile: join(bundle, 'exit'),
    socket: join(bundle, 'shim.sock'),
    attach,
    runtime: runtime.startCommand({ id, bundle, pidFile, ...consoleOf(terminal) }),
  }
}

/**
 * A terminal as this runtime makes one. The socket's name is relative to the bundle, where shim and runtime are: the
 * address of a socket has room for 107 bytes only.
 */
export function terminalOptions(
  runtime: Runtime,
  isWanted: boolean,
  socket: string,
): Pick<LaunchOptions, 'terminal' | 'consoleSocket'> {
  if (!isWanted) return {}
  return runtime.terminal === 'pty'
    ? { terminal: 'pty' }
    : { terminal: 'console-socket', consoleSocket: socket }
}

/** What the runtime has to know of it. */
export function consoleOf({ consoleSocket }: Pick<LaunchOptions, 'consoleSocket'>): {
  consoleSocket?: string
} {
  return consoleSocket === undefined ? {} : { consoleSocket }
}
