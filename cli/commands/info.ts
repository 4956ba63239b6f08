/** `kago info`: the daemon, and what its machine offers, lacks, and why. */
import type { Info } from '../../shared/protocol/system.ts'
import { formatBinaryBytes, formatDuration } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderOne } from '../format/render.ts'
import { text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { cliVersion } from '../version.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: { format: text('FORMAT', "'json', or a template: '{{.defaultRuntime}}'", { short: 'f' }) },
  async run({ client, options }) {
    const info = await call(client, 'system.info', {})
    await print(
      options.format === undefined ? describe(info) : renderOne(options.format, info, dockerInfo(info)),
    )
    return undefined
  },
})

function describe(info: Info): string {
  const { version, containers } = info
  const facts: [string, string | number][] = [
    ['Client', `kago ${cliVersion}`],
    [
      'Server',
      `kagod ${version.version} (${version.commit}), protocol ${version.protocol}, Node ${version.node}`,
    ],
    ['Containers', `${containers.total} (${containers.running} running, ${containers.paused} paused)`],
    ['Images', info.images],
    [
      'Machine',
      `${info.hostname}: ${info.cpus} processors, ${formatBinaryBytes(info.memoryBytes)} of memory`,
    ],
    ['Kernel', `${version.kernel} ${version.os}/${version.architecture}`],
    ['Snapshotter', info.snapshotter],
    ['Runtimes', `${info.runtimes.join(', ')} (default: ${info.defaultRuntime})`],
    ['Data', info.dataRoot],
    ['Run', info.runRoot],
    ['Configuration', info.configFile],
    [
      'Daemon',
      `pid ${info.pid}, up ${formatDuration(info.uptimeSeconds * 1000)}, ${formatBinaryBytes(info.residentBytes)}`,
    ],
  ]
  if (info.insecureRegistries.length > 0)
    facts.push(['Insecure registries', info.insecureRegistries.join(', ')])
  for (const [registry, mirrors] of Object.entries(info.mirrors)) {
    facts.push([`Mirrors of ${registry}`, mirrors.join(', ')])
  }
  if (info.peers.length > 0) facts.push(['Peers', info.peers.join(', ')])
  if (info.registryListen !== null) facts.push(['Images offered', info.registryListen])
  const lines = facts.map(
    ([name, value]) => `${`${escapeLine(name)}:`.padEnd(16)}${escapeLine(String(value))}`,
  )
  const width = Math.max(...info.features.map(({ name }) => name.length), 0) + 2
  const features = info.features.map(
    ({ name, available, detail }) =>
      ` ${available ? '+' : '-'} ${escapeLine(name).padEnd(width)}${escapeLine(detail)}`,
  )
  return `${[...lines, 'Features (+ there, - missing):', ...features].join('\n')}\n`
}

/** Docker's names of the same. */
function dockerInfo(info: Info): Record<string, unknown> {
  return {
    ServerVersion: info.version.version,
    Containers: info.containers.total,
    ContainersRunning: info.containers.running,
    ContainersPaused: info.containers.paused,
    ContainersStopped: info.containers.total - info.containers.running - info.containers.paused,
    Images: info.images,
    Driver: info.snapshotter,
    DefaultRuntime: info.defaultRuntime,
    DockerRootDir: info.dataRoot,
    KernelVersion: info.version.kernel,
    OSType: info.version.os,
    Architecture: info.version.architecture,
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    Name: info.hostname,
  }
}
