/** Any program with runc's command line (runc, crun, youki, …) as a runtime. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { LinuxResources } from '../../shared/oci/runtime-spec.ts'
import { type QuietTool, runQuickTool, type ToolResult } from '../host/exec.ts'
import { identifyProcess, isAlive, signalProcess } from '../host/process.ts'
import { runtimeLogPath } from './bundle.ts'
import type { Runtime, RuntimeFeature, RuntimeState } from './contract.ts'
import { explainLog } from './explain-failure.ts'

export interface OciRuntimeConfig {
  name: string
  /** The program, absolute or in PATH. */
  path: string
  /** Put before the subcommand, as `['--systemd-cgroup']`. */
  args?: readonly string[]
  /** Where it keeps its own records (`--root`). */
  root: string
}

const features: readonly RuntimeFeature[] = [
  'seccomp',
  'apparmor',
  'console-socket',
  'mount-propagation',
  'device-rules',
  'cgroup-v2',
  'pause',
  'update',
  'exec',
  'exec-shares-mounts',
]

/**
 * `crun run --detach` collects a process that ends at once, and then the shim has nothing to wait for; after `create`
 * the process waits until it is the shim's. Its words: id, bundle, pid file, console socket or nothing, the program.
 */
const createAndStart = [
  'id=$1 bundle=$2 pid=$3 console=$4',
  'shift 4',
  '"$@" create --bundle "$bundle" --pid-file "$pid" ${console:+--console-socket "$console"} "$id" &&',
  'exec "$@" start "$id"',
].join('\n')

const killSignal = 9
const pollMs = 5
const killTimeoutMs = 10_000

/** @param runQuietly runs what says nothing unless it fails, with no fork of the daemon */
export function createOciRuntime(config: OciRuntimeConfig, runQuietly: QuietTool = runQuickTool): Runtime {
  const startsInOne = basename(config.path) === 'runc'
  const base = [...(config.args ?? []), '--root', config.root]

  const call = async (args: readonly string[], run: QuietTool = runQuickTool): Promise<ToolResult> => {
    try {
      return await run(config.path, [...base, ...args])
    } catch (error) {
      throw translate(config.name, error)
    }
  }
  const logged = (bundle: string): string[] => ['--log', runtimeLogPath(bundle), '--log-format', 'json']
  const state = async (id: string): Promise<RuntimeState | undefined> => {
    try {
      return parseState((await call(['state', id])).stdout)
    } catch (error) {
      if (error instanceof KagoError && error.code === 'not_found') return undefined
      throw error
    }
  }

  const processes = async (id: string): Promise<number[]> =>
    parsePids((await call(['ps', '--format', 'json', id])).stdout)

  // Somebody else may be quicker; and cgroup v2 lets the frozen be killed, where v1 keeps them until they are thawed.
  const thaw = async (id: string): Promise<void> => {
    try {
      await call(['resume', id])
    } catch (error) {
      if (!isKagoError(error, 'wrong_state') || (await state(id))?.status === 'paused') throw error
    }
  }

  const killIfAlive = async (id: string): Promise<void> => {
    const known = await state(id)
    if (known?.pid === undefined || known.status === 'stopped') return
    if (known.status === 'paused') await thaw(id)
    await killAndWait(known.pid, id)
  }

  /** runc calls a container paused whose processes were killed while they were frozen, and does not delete it. */
  const endedFrozen = async (id: string): Promise<boolean> =>
    (await state(id))?.status === 'paused' && (await processes(id)).length === 0

  return {
    name: config.name,
    terminal: 'console-socket',
    supports: new Set(features),
    refuse: () => undefined,
    notices: () => [],
    prepare: async () => undefined,
    prepareExec: async () => undefined,

    startCommand: ({ id, bundle, pidFile, consoleSocket }) => {
      const program = [config.path, ...base, ...logged(bundle)]
      if (!startsInOne)
        return ['sh', '-c', createAndStart, 'sh', id, bundle, pidFile, consoleSocket ?? '', ...program]
      const console = consoleSocket === undefined ? [] : ['--console-socket', consoleSocket]
      return [...program, 'run', '--detach', '--bundle', bundle, '--pid-file', pidFile, ...console, id]
    },

    execCommand: ({ id, bundle, processFile, pidFile, consoleSocket }) => [
      config.path,
      ...base,
      ...logged(bundle),
      'exec',
      '--detach',
      '--process',
      processFile,
      '--pid-file',
      pidFile,
      ...(consoleSocket === undefined ? [] : ['--console-socket', consoleSocket]),
      id,
    ],

    kill: async (id, signal, options = {}) => {
      await call(['kill', ...(options.all ? ['--all'] : []), id, String(signal)])
    },

    pause: async (id) => {
      if ((await state(id))?.status !== 'paused') await call(['pause', id])
    },

    resume: async (id) => {
      if ((await state(id))?.status !== 'running') await call(['resume', id])
    },

    update: async (id, resources) => {
      // a file, since what Node gives as standard input is a socket, which crun cannot open as /dev/stdin
      const file = `${config.root}-update-${id}.json`
      writeFileSync(file, JSON.stringify(forUpdate(resources)), { mode: 0o600 })
      try {
        await call(['update', '--resources', file, id])
      } finally {
        rmSync(file, { force: true })
      }
    },

    // `delete --force` of a running container polls every 100 ms and leaves what it cannot kill: so the process is
    // killed here, and deleted when it has gone.
    delete: async (id, options = {}) => {
      if (options.force) await killIfAlive(id)
      try {
        await call(['delete', id], runQuietly)
      } catch (error) {
        if (isKagoError(error, 'not_found')) return
        if (!isKagoError(error, 'wrong_state') || !(await endedFrozen(id))) throw error
        await thaw(id)
        await call(['delete', id])
      }
    },

    state,
    processes,
    explainFailure: (bundle, shimMessage) => explainLog(config.name, readLog(bundle), shimMessage),
  }
}

/** Waits for the process to be gone or a zombie (its parent, the shim, may be slow to collect it). */
async function killAndWait(pid: number, id: string): Promise<void> {
  const identity = identifyProcess(pid)
  if (identity === undefined) return
  signalProcess(identity, killSignal)
  const deadline = Date.now() + killTimeoutMs
  while (isAlive(identity)) {
    if (Date.now() > deadline) {
      throw new KagoError('timed_out', `process ${pid} of container ${id} did not end after SIGKILL`, {
        hint: 'it may hang in the kernel, on a dead disk or network file system',
      })
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/** runc wants numbers for what stays as it is: an absent field means 0, which it takes for "leave it". */
function forUpdate(resources: LinuxResources): LinuxResources {
  const { devices: _, ...limits } = resources
  return limits
}

function parseState(text: string): RuntimeState {
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || !('status' in parsed)) {
    throw new KagoError('internal', 'the runtime printed a state that is not understood', {
      details: { text },
    })
  }
  const status = parsed.status
  const pid = 'pid' in parsed && typeof parsed.pid === 'number' && parsed.pid > 0 ? parsed.pid : undefined
  if (status !== 'created' && status !== 'running' && status !== 'paused') return { status: 'stopped' }
  return pid === undefined ? { status } : { status, pid }
}

function parsePids(text: string): number[] {
  const parsed: unknown = JSON.parse(text)
  return Array.isArray(parsed) ? parsed.filter((pid) => typeof pid === 'number') : []
}

function readLog(bundle: string): string {
  try {
    return readFileSync(join(bundle, 'runtime.log'), 'utf8').slice(-64 * 1024)
  } catch {
    return '' // it ended before it wrote any: what the shim says must do
  }
}

/** The runtimes' sentences for "no such container" and "not in this state", as codes. */
function translate(name: string, error: unknown): unknown {
  if (!(error instanceof KagoError) || error.code !== 'internal') return error
  const stderr = error.details?.['stderr']
  const said = typeof stderr === 'string' ? stderr : ''
  if (
    /does not exist|error opening file .*status.*No such file|cannot open directory .*No such file/.test(said)
  ) {
    return new KagoError('not_found', `${name} knows no such container`, {
      details: error.details,
      cause: error,
    })
  }
  if (
    /not running|process already finished|is stopped|not stopped|cannot pause|not paused|cannot (kill|exec)/.test(
      said,
    )
  ) {
    return new KagoError('wrong_state', `${name} refuses: ${error.message}`, {
      details: error.details,
      cause: error,
    })
  }
  return error
}
