/** What the benchmarks ask of an engine, so that each of them is written once. */
import { spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runQuietly } from './command.ts'

export type EngineName = 'kago' | 'kago crun' | 'kago unshare' | 'docker' | 'podman' | 'runc'

/** Every member makes an argument array and runs nothing. All containers but one kind are without a network. */
export interface Verbs {
  runAndRemove(command: readonly string[]): string[]
  /** In the engine's default network, with ports as `-p` has them; bare runc has none. */
  runOnBridge?(command: readonly string[], ports?: readonly string[]): string[]
  /** `stdin` keeps the container's standard input open, to be used by `attach`. */
  runDetached(id: string, command: readonly string[], options?: { stdin?: boolean }): string[]
  exec(id: string, command: readonly string[]): string[]
  stopNow(id: string): string[]
  remove(id: string): string[]
  /** Kills them first. */
  removeAll(ids: readonly string[]): string[]
  list(): string[]
  version(): string[]
  wait(id: string): string[]
  /** Nothing where there is no such thing: bare runc keeps no log and lets nobody attach. */
  logs?(id: string): string[]
  attach?(id: string): string[]
  /** The same in the background, with binds as `-v` has them. */
  serveOnBridge?(
    id: string,
    command: readonly string[],
    lent: { ports: readonly string[]; mounts: readonly string[] },
  ): string[]
  /** From a registry without TLS, on loopback. */
  pull?(reference: string): string[]
  removeImage?(reference: string): string[]
  /** One of both is `CONTAINER:PATH`. */
  copy?(from: string, to: string): string[]
  exportTo?(id: string, file: string): string[]
}

export interface Engine {
  readonly name: EngineName
  /** As it calls itself, with the runtime it uses. */
  readonly version: string
  /** Tried in fewer benchmarks: the same engine with another runtime. */
  readonly isVariant: boolean
  readonly verbs: Verbs
  /** Command lines of what stays in memory: the daemon, and the processes that watch over containers. */
  readonly processes: { daemon?: RegExp; shim?: RegExp }
  stop(): Promise<void>
}

/** Where an engine may put its files, and the root file system that all of them use. */
export interface Ground {
  readonly directory: string
  /** Of one layer; uncompressed. */
  readonly layerTar: string
}

const startTimeoutMs = 60_000

/** Docker's command line, which kago and Podman share. */
export function dockerVerbs(prefix: readonly string[], image: string, own: Partial<Own> = {}): Verbs {
  const { runOptions = [], pullOptions = [], removeAtOnce = ['rm', '-f'] } = own
  const run = ['run', '--network', 'none', ...runOptions]
  return {
    runAndRemove: (command) => [...prefix, ...run, '--rm', image, ...command],
    runOnBridge: (command, ports = []) => [
      ...prefix,
      'run',
      ...runOptions,
      ...ports.flatMap((port) => ['-p', port]),
      '--rm',
      image,
      ...command,
    ],
    runDetached: (id, command, { stdin = false } = {}) => [
      ...prefix,
      ...run,
      '-d',
      ...(stdin ? ['-i'] : []),
      '--name',
      id,
      image,
      ...command,
    ],
    exec: (id, command) => [...prefix, 'exec', id, ...command],
    stopNow: (id) => [...prefix, 'stop', '-t', '0', id],
    remove: (id) => [...prefix, 'rm', id],
    removeAll: (ids) => [...prefix, ...removeAtOnce, ...ids],
    list: () => [...prefix, 'ps'],
    version: () => [...prefix, 'version'],
    wait: (id) => [...prefix, 'wait', id],
    logs: (id) => [...prefix, 'logs', id],
    attach: (id) => [...prefix, 'attach', id],
    serveOnBridge: (id, command, { ports, mounts }) => [
      ...prefix,
      'run',
      ...runOptions,
      ...ports.flatMap((port) => ['-p', port]),
      ...mounts.flatMap((mount) => ['-v', mount]),
      '-d',
      '--name',
      id,
      image,
      ...command,
    ],
    pull: (reference) => [...prefix, 'pull', ...pullOptions, reference],
    removeImage: (reference) => [...prefix, 'rmi', reference],
    copy: (from, to) => [...prefix, 'cp', from, to],
    exportTo: (id, file) => [...prefix, 'export', '-o', file, id],
  }
}

interface Own {
  runOptions: readonly string[]
  pullOptions: readonly string[]
  removeAtOnce: readonly string[]
}

/** `{ root: '/x' }` → `--root=/x` */
export function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`)
}

/**
 * Starts a daemon and waits until `probe` succeeds. The daemon's words go to `log`.
 * @returns what ends it: SIGTERM, and the wait for its end.
 */
export async function startDaemon(
  argv: readonly string[],
  probe: readonly string[],
  log: string,
): Promise<() => Promise<void>> {
  const [program = '', ...words] = argv
  const output = openSync(log, 'a')
  const daemon = spawn(program, words, { stdio: ['ignore', output, output] })
  let failure: Error | undefined
  const ended = new Promise<void>((resolve) => {
    daemon.once('exit', () => resolve())
    daemon.once('error', (error) => {
      failure = error
      resolve()
    })
  })
  const isEnded = () => failure !== undefined || daemon.exitCode !== null || daemon.signalCode !== null
  const deadline = performance.now() + startTimeoutMs
  for (;;) {
    const answer = await runQuietly(probe).then(
      () => true,
      () => false,
    )
    if (answer) break
    if (isEnded() || performance.now() > deadline) {
      const words = readFileSync(log, 'utf8').trim().slice(-1000)
      throw new Error(`${program} does not start: ${words}`, { cause: failure })
    }
    await sleep(100)
  }
  return async () => {
    daemon.kill('SIGTERM')
    await ended
  }
}
