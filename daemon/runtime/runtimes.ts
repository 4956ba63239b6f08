/** The runtimes that this daemon's configuration names. */
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { QuietTool } from '../host/exec.ts'
import type { Runtime } from './contract.ts'
import { createOciRuntime } from './oci.ts'
import { createUnshareRuntime } from './unshare/unshare.ts'

export interface RuntimesConfig {
  /** As /run/kago: each runtime keeps its records in a directory of its name below it. */
  runRoot: string
  /** OCI runtimes by name. `runc` and `crun` are there without being named, and `unshare` is kago's own. */
  runtimes?: Record<string, { path: string; args?: readonly string[] }>
}

export interface Runtimes {
  /** Fails with `invalid_argument` for a name that the configuration does not have. */
  get(name: string): Runtime
  readonly names: readonly string[]
}

const known = { runc: { path: 'runc' }, crun: { path: 'crun' } }

export function createRuntimes(config: RuntimesConfig, runQuietly?: QuietTool): Runtimes {
  const table = new Map<string, Runtime>()
  for (const [name, { path, args }] of Object.entries<{ path: string; args?: readonly string[] }>({
    ...known,
    ...config.runtimes,
  })) {
    const oci = { name, path, root: join(config.runRoot, name), ...(args && { args }) }
    table.set(name, createOciRuntime(oci, runQuietly))
  }
  table.set('unshare', createUnshareRuntime({ root: join(config.runRoot, 'unshare') }))
  const names = [...table.keys()]
  return {
    names,
    get: (name) => {
      const runtime = table.get(name)
      if (runtime) return runtime
      throw new KagoError('invalid_argument', `there is no runtime ${name}`, {
        hint: `this daemon has ${names.join(', ')}; others are added under "runtimes" in kagod.json`,
      })
    },
  }
}
