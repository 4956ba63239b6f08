/** What the daemon's machine offers, what it lacks, and why. */
import os from 'node:os'
import type { Info } from '../../shared/protocol/system.ts'
import type { ContainerContext } from '../container/context.ts'
import { readFeatures } from '../host/features.ts'
import { networkFeatures } from '../network/obstacles.ts'
import { daemonVersion } from '../version.ts'

export async function systemInfo(context: ContainerContext): Promise<Info> {
  const { config, paths, containers, image, runtimes } = context
  const states = containers.list().map((row) => row.state)
  return {
    version: daemonVersion(),
    hostname: os.hostname(),
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    dataRoot: paths.dataRoot,
    runRoot: paths.runRoot,
    configFile: config.file,
    snapshotter: image.snapshotter.name,
    defaultRuntime: config.defaultRuntime,
    runtimes: [...runtimes.names],
    containers: {
      total: states.length,
      running: states.filter((state) => state === 'running' || state === 'stopping').length,
      paused: states.filter((state) => state === 'paused').length,
    },
    images: image.images.list().length,
    features: [...(await readFeatures()), ...(await networkFeatures(context.network))],
    insecureRegistries: config.insecureRegistries,
    mirrors: config.mirrors,
    // Without the passwords that may stand before them.
    peers: config.peers.map((url) => url.slice(url.lastIndexOf('@') + 1).replace(/^.*:\/\//, '')),
    registryListen: config.registryListen ?? null,
    pid: process.pid,
    uptimeSeconds: process.uptime(),
    residentBytes: process.memoryUsage.rss(),
  }
}
