/** Where everything is: data that stays, run-time files that a reboot empties, and the programs beside the daemon. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'

export interface Paths {
  readonly dataRoot: string
  readonly runRoot: string
  readonly database: string
  readonly pidFile: string
  readonly socket: string
  readonly layers: string
  /** Data of a container: upper, work, log, hosts, … */
  container(id: string): string
  containers: string
  log(id: string): string
  /** Run-time files of a container's task: config.json, rootfs, pid, exit, shim.sock, runtime.log. */
  bundle(id: string): string
  bundles: string
  /** A directory for each volume. */
  readonly volumes: string
  readonly runtimeState: string
  /** Where the spawner of shims listens. */
  readonly spawnerSocket: string
  readonly programs: Programs
}

/** What is started beside the daemon. All are built into one directory. */
export interface Programs {
  readonly directory: string
  readonly shim: string
  readonly init: string
  readonly unpackLayer: string
  readonly tree: string
  readonly embeddedImage: string
}

export function resolvePaths(config: Config): Paths {
  const { dataRoot, runRoot } = config
  return {
    dataRoot,
    runRoot,
    database: join(dataRoot, 'kago.db'),
    layers: join(dataRoot, 'layers'),
    pidFile: join(runRoot, 'kagod.pid'),
    socket: config.socket,
    containers: join(dataRoot, 'containers'),
    container: (id) => join(dataRoot, 'containers', id),
    log: (id) => join(dataRoot, 'containers', id, 'log'),
    bundles: join(runRoot, 'containers'),
    bundle: (id) => join(runRoot, 'containers', id),
    volumes: join(dataRoot, 'volumes'),
    runtimeState: join(runRoot, 'runtime'),
    spawnerSocket: join(runRoot, 'spawner.sock'),
    programs: findPrograms(),
  }
}

/** The bundled daemon lies among its programs; the sources have them in `dist`. */
export function findPrograms(): Programs {
  const here = import.meta.dirname
  const directory = existsSync(join(here, 'kago-shim')) ? here : join(here, '..', 'dist')
  return {
    directory,
    shim: join(directory, 'kago-shim'),
    init: join(directory, 'kago-init'),
    unpackLayer: join(directory, 'unpack-layer.mjs'),
    tree: join(directory, 'tree.mjs'),
    embeddedImage: join(directory, 'images', 'busybox.tar'),
  }
}
