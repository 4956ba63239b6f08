/** Everything that is known of a container. */
import type { ContainerDetails } from '../../shared/protocol/containers.ts'
import type { ContainerContext } from './context.ts'
import { describeNetworks } from './describe-networks.ts'
import { findContainer } from './find.ts'
import { readHealth } from './health-monitor.ts'
import { describeTask } from './list.ts'
import type { Container } from './record.ts'
import { volumeData } from '../volume/context.ts'
import { describePorts } from './publish.ts'

export function inspectContainer(context: ContainerContext, text: string): ContainerDetails {
  const container = findContainer(context, text)
  const { id, record } = container
  return {
    id,
    name: container.name,
    createdAt: new Date(container.createdAt).toISOString(),
    task: describeTask(container),
    image: record.image,
    process: record.process,
    options: record.options,
    networks: describeNetworks(context, id),
    ports: describePorts(container, context.network.ports.ofContainer(id)),
    runtime: record.runtime,
    snapshotter: record.snapshotter,
    health: readHealth(container.health),
    volumes: volumePaths(context, container),
    paths: {
      directory: context.paths.container(id),
      bundle: context.paths.bundle(id),
      log: context.paths.log(id),
    },
  }
}

function volumePaths({ volume }: ContainerContext, { record }: Container): Record<string, string> {
  const rows = record.options.mounts.flatMap(({ type, source = '' }) =>
    type === 'volume' ? (volume.volumes.find(source) ?? []) : [],
  )
  return Object.fromEntries(rows.map((row) => [row.name, volumeData(volume, row)]))
}
