/** Podman, which has no daemon: each command does the work, and conmon watches over a container. */
import { join } from 'node:path'
import { runQuietly } from '../command.ts'
import { dockerVerbs, type Engine, flags, type Ground } from '../engine.ts'
import { ask, isInstalled } from '../probe.ts'

export function podmanIsInstalled(): boolean {
  return isInstalled('podman') && isInstalled('conmon')
}

export async function startPodman({ directory, layerTar }: Ground): Promise<Engine> {
  const prefix = [
    'podman',
    ...flags({
      root: join(directory, 'data'),
      runroot: join(directory, 'run'),
      tmpdir: join(directory, 'tmp'),
      'cgroup-manager': 'cgroupfs',
      'storage-driver': 'overlay',
      'events-backend': 'file',
    }),
  ]
  // It would complain on every call about a version 1 machine, on standard error.
  process.env['PODMAN_IGNORE_CGROUPSV1_WARNING'] = '1'
  await runQuietly([...prefix, 'import', layerTar, 'bench:latest'])
  const runtime = ask([...prefix, 'info', '--format', '{{.Host.OCIRuntime.Name}}'])
  return {
    name: 'podman',
    version: `Podman ${ask([...prefix, 'version', '--format', '{{.Client.Version}}'])} with ${runtime}`,
    isVariant: false,
    verbs: dockerVerbs(prefix, 'localhost/bench:latest', {
      runOptions: ['--log-driver', 'k8s-file'],
      pullOptions: ['--tls-verify=false'],
      removeAtOnce: ['rm', '-f', '-t', '0'],
    }),
    processes: { shim: /^\S*conmon / },
    stop: async () => undefined,
  }
}
