/** Docker with a daemon of its own: neither the machine's dockerd nor its images are touched. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dockerVerbs, type Engine, flags, type Ground, startDaemon } from '../engine.ts'
import { runQuietly } from '../command.ts'
import { ask, isInstalled } from '../probe.ts'

export function dockerIsInstalled(): boolean {
  return isInstalled('dockerd') && isInstalled('docker') && isInstalled('containerd')
}

export async function startDocker({ directory, layerTar }: Ground): Promise<Engine> {
  const socket = `unix://${join(directory, 'docker.sock')}`
  const config = join(directory, 'daemon.json')
  writeFileSync(config, '{}')
  const prefix = ['docker', '--config', directory, '-H', socket]
  const stop = await startDaemon(
    [
      'dockerd',
      ...flags({
        host: socket,
        'data-root': join(directory, 'data'),
        'exec-root': join(directory, 'run'),
        pidfile: join(directory, 'docker.pid'),
        'config-file': config,
        'storage-driver': 'overlay2',
        'exec-opt': 'native.cgroupdriver=cgroupfs',
      }),
    ],
    [...prefix, 'info'],
    join(directory, 'docker.log'),
  )
  await runQuietly([...prefix, 'import', layerTar, 'bench:latest'])
  const version = ask([...prefix, 'version', '--format', '{{.Server.Version}}'])
  return {
    name: 'docker',
    version: `Docker ${version} with containerd ${ask(['containerd', '--version'])}`,
    isVariant: false,
    verbs: dockerVerbs(prefix, 'bench:latest'),
    processes: { daemon: /^(dockerd|containerd|\S*\/containerd) /, shim: /containerd-shim/ },
    stop,
  }
}
