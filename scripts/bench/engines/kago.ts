/** kago as built in dist, with a daemon of its own, and the same once more for each other runtime. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dockerVerbs, type Engine, type Ground, startDaemon } from '../engine.ts'
import { ask, isInstalled } from '../probe.ts'

const bin = join(import.meta.dirname, '../../../dist/bin')
const image = 'localhost/busybox'

export async function startKago({ directory }: Ground): Promise<Engine[]> {
  const runRoot = join(directory, 'run')
  const config = join(directory, 'kagod.json')
  const withCrun = isInstalled('crun')
  writeFileSync(
    config,
    JSON.stringify({
      dataRoot: join(directory, 'data'),
      runRoot,
      // The benchmark of `logs` reads 200 MB back; the default keeps 30.
      logMaxBytes: 1e9,
      ...(withCrun && { runtimes: { crun: { path: 'crun' } } }),
    }),
  )
  const prefix = [join(bin, 'kago'), '-H', `unix://${join(runRoot, 'kagod.sock')}`]
  const log = join(directory, 'kagod.log')
  const stop = await startDaemon([join(bin, 'kagod'), '--config', config], [...prefix, 'version'], log)
  const engine = (name: Engine['name'], runtime: string, isVariant: boolean): Engine => ({
    name,
    version: `kago ${ask([...prefix, 'version', '--format', '{{.Client.Version}}'])} with ${runtime}`,
    isVariant,
    verbs: dockerVerbs(prefix, image, isVariant ? { runOptions: ['--runtime', runtime] } : {}),
    processes: { daemon: /kagod\.mjs/, shim: /^\S*kago-shim / },
    stop: isVariant ? async () => undefined : stop,
  })
  const engines = [engine('kago', 'runc', false), engine('kago unshare', 'unshare', true)]
  return withCrun ? [...engines, engine('kago crun', 'crun', true)] : engines
}
