/** What the shim is told about a container's task. */
import { join } from 'node:path'
import { toolEnvironment } from '../host/exec.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { LaunchShimOptions } from '../shim/launch.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'
import type { StartOptions } from './start.ts'

export function taskOptions(
  context: ContainerContext,
  container: Container,
  runtime: Runtime,
  { attach, size }: StartOptions,
): LaunchShimOptions {
  const { paths, config, image } = context
  const { id, record } = container
  const { options } = record
  const bundle = paths.bundle(id)
  const mounts = image.snapshotter.mounts(paths.container(id), record.chainIds)
  const mountFrom = mounts.find((mount) => mount.from !== undefined)?.from
  const files = { pidFile: join(bundle, 'pid'), exitFile: join(bundle, 'exit') }
  const { terminal, consoleSocket } = terminalOptions(runtime, options.terminal, join(bundle, 'console.sock'))
  return {
    shim: paths.programs.shim,
    environment: toolEnvironment,
    bundle,
    mounts,
    ...(mountFrom !== undefined && { mountFrom }),
    log: { directory: paths.log(id), maxBytes: config.logMaxBytes, maxFiles: config.logMaxFiles },
    stdin: stdinMode(options, attach),
    ...terminal,
    ...(size !== undefined && { size }),
    ...files,
    socket: join(bundle, 'shim.sock'),
    ...(attach !== undefined && { attach }),
    runtime: runtime.startCommand({ id, bundle, pidFile: files.pidFile, ...consoleSocket }),
  }
}

/** As Docker: `echo hi | kago run -i` ends the input of its container; a terminal can be left and joined again. */
function stdinMode(
  options: { stdin: boolean; terminal: boolean },
  attach: StartOptions['attach'],
): 'none' | 'open' | 'once' {
  if (!options.stdin) return 'none'
  return !options.terminal && attach?.stdin === true ? 'once' : 'open'
}

/** A terminal as this runtime makes one: what the shim and what the runtime are told of it. */
export function terminalOptions(
  runtime: Runtime,
  isWanted: boolean,
  socket: string,
): { terminal: Pick<LaunchShimOptions, 'terminal'>; consoleSocket: { consoleSocket?: string } } {
  if (!isWanted) return { terminal: {}, consoleSocket: {} }
  if (runtime.terminal === 'pty') return { terminal: { terminal: { kind: 'pty' } }, consoleSocket: {} }
  return {
    terminal: { terminal: { kind: 'console-socket', socket } },
    consoleSocket: { consoleSocket: socket },
  }
}
