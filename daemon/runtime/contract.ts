/**
 * What kago asks of a runtime: the program that turns a bundle into a running process.
 *
 * Words
 *   bundle    a directory with the OCI spec's config.json and `rootfs`, an empty directory on which the shim mounts the
 *             container's filesystem before it runs the runtime. The shim's working directory is the bundle.
 *   id        the container's id; it names the container to the runtime, its cgroup and its state directory.
 *   process file   the `process` object of the spec on its own, for an exec.
 *
 * The life of a container, as a runtime sees it
 *
 *   refuse(spec)          before anything is made: is there something in the spec that this runtime cannot do?
 *   prepare(bundle)       config.json is written. Last chance to write files of its own into the bundle.
 *   startCommand(…)       an argument array that the *shim* runs, inside its private mount namespace, with the
 *                         container's standard streams as its own. The runtime must put the process in place, write its
 *                         pid (as this machine sees it) into the pid file, and exit with 0; the process is then a
 *                         child of the shim, because the shim is a child subreaper. Any other status means that nothing
 *                         runs, and `explainFailure` says why.
 *   execCommand(…)        the same for a further process in a running container.
 *   kill pause resume update state processes      at any time; the daemon runs these, not the shim.
 *   delete(id)            after the shim has gone or reported the exit: removes the cgroup and the runtime's records.
 *
 * Signals to the first process alone need no runtime: the daemon signals the pid after comparing its start time, and
 * waits for the shim to tell the exit. That is why `delete` never waits for more than a process it has itself killed.
 *
 * Errors are KagoErrors: `not_found` when the runtime knows no such container, `wrong_state` when it is not running,
 * `not_supported` for what this runtime or machine lacks.
 */
import type { KagoError } from '../../shared/errors.ts'
import type { LinuxResources, RuntimeSpec } from '../../shared/oci/runtime-spec.ts'

/** What a runtime may or may not be able to do; `kago info` prints them. */
export const runtimeFeatures = [
  /** Filters system calls. */
  'seccomp',
  'apparmor',
  /** Gives the terminal to the shim over a console socket. */
  'console-socket',
  /** A bind whose mounts travel between host and container (shared, slave). */
  'mount-propagation',
  /** Device rules in the cgroup. */
  'device-rules',
  'cgroup-v2',
  'pause',
  'update',
  'exec',
  /** Exec'd processes are in the very mount namespace of the container. */
  'exec-shares-mounts',
  'rootless',
] as const

export type RuntimeFeature = (typeof runtimeFeatures)[number]

export interface Runtime {
  /** As in the configuration and in `--runtime`. */
  readonly name: string
  /**
   * How a terminal is made. `console-socket`: the runtime opens it and sends the master over a unix socket.
   * `pty`: the shim opens it and the runtime gets the slave as its standard streams.
   */
  readonly terminal: 'console-socket' | 'pty'
  readonly supports: ReadonlySet<RuntimeFeature>

  /** Throws `not_supported`, naming the first thing in the spec that this runtime lacks and that matters. */
  refuse(spec: RuntimeSpec): void

  /** What this runtime will leave out of the spec, one sentence each, to be shown to the person who starts it. */
  notices(spec: RuntimeSpec): string[]

  /** Writes what the runtime itself needs into the bundle. */
  prepare(request: { id: string; bundle: string }): Promise<void>

  /** Arguments for the shim; nothing is run or written here. */
  startCommand(request: StartRequest): string[]

  /** Writes what the runtime needs for this exec beside its process file. */
  prepareExec(request: { id: string; bundle: string; processFile: string }): Promise<void>

  /** Arguments for the shim of an exec. */
  execCommand(request: ExecRequest): string[]

  /** Sends a signal (its number) to the first process, or with `all` to every process of the container. */
  kill(id: string, signal: number, options?: { all?: boolean }): Promise<void>

  /** Freezes all processes; they do not notice. Already frozen is success. */
  pause(id: string): Promise<void>
  resume(id: string): Promise<void>

  /** Changes the limits that are present in `resources` and leaves the others. */
  update(id: string, resources: LinuxResources): Promise<void>

  /**
   * Forgets the container. Its process must have ended; with `force` it is killed first, with everything in its cgroup.
   * A container that the runtime does not know is success.
   */
  delete(id: string, options?: { force?: boolean }): Promise<void>

  /** Nothing when the runtime knows no such container. `pid` is present unless it is stopped. */
  state(id: string): Promise<RuntimeState | undefined>

  /** Host pids of every process in the container's cgroup, execs included. */
  processes(id: string): Promise<number[]>

  /**
   * Why a start or an exec failed, from what the runtime left behind and what the shim says.
   * `details.exitCode` is 127 when the command was not found and 126 when it could not be executed: it is then also
   * the exit code of `kago run`.
   */
  explainFailure(bundle: string, shimMessage: string): KagoError
}

export interface StartRequest {
  id: string
  bundle: string
  /** Absolute; the runtime writes the pid in decimal. */
  pidFile: string
  /**
   * Relative to the bundle, which is the runtime's working directory; given when the spec asks for a terminal and the
   * runtime's `terminal` is `console-socket`.
   */
  consoleSocket?: string
}

export interface ExecRequest extends StartRequest {
  /** Absolute path of the process file. */
  processFile: string
}

export interface RuntimeState {
  status: 'created' | 'running' | 'paused' | 'stopped'
  pid?: number
}
