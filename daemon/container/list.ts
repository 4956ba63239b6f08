/** Containers as a list, narrowed by filters. */
import type { ContainerSummary, Port, Evidence } from '../../shared/protocol/containers.ts'
import type { ContainerRow } from '../state/containers.ts'
import type { ContainerContext } from './context.ts'
import { readHealth } from './health-monitor.ts'
import { isAlive } from './lifecycle.ts'
import { parseListFilters } from './list-filters.ts'
import { describePorts } from './publish.ts'
import { type Container, readContainer } from './record.ts'

export interface ListOptions {
  all?: boolean | undefined
  limit?: number | undefined
  /** `key=value`: see list-filters.ts. */
  filter?: readonly string[] | undefined
}

/** Newest first; only running ones unless `all`, a limit or a filter by status asks for more. */
export function listContainers(context: ContainerContext, options: ListOptions = {}): ContainerSummary[] {
  const filter = parseListFilters(context, options.filter ?? [])
  const all =
    options.all === true ||
    options.limit !== undefined ||
    filter.keys.has('status') ||
    filter.keys.has('exited')
  const networks = context.network.endpoints.networkNames()
  const rows = Map.groupBy(context.network.ports.list(), ({ containerId }) => containerId)
  const describe = (container: Container) =>
    summarize(
      container,
      networks.get(container.id) ?? [],
      describePorts(container, rows.get(container.id) ?? []),
    )
  return context.containers
    .list()
    .filter((row) => all || isAlive(row.state) || row.state === 'restarting')
    .map(readContainer)
    .filter((container) => filter.matches({ container, summary: () => describe(container) }))
    .slice(0, options.limit)
    .map(describe)
}

function summarize(container: Container, networks: string[], ports: Port[]): ContainerSummary {
  const { record } = container
  return {
    id: container.id,
    name: container.name,
    image: record.image.reference,
    imageId: record.image.id,
    args: record.process.args,
    createdAt: new Date(container.createdAt).toISOString(),
    task: describeTask(container),
    ports,
    labels: record.options.labels,
    mounts: record.options.mounts.map((mount) => mount.source ?? mount.target),
    network: record.options.network,
    networks,
    runtime: record.runtime,
  }
}

export function describeTask(row: Omit<ContainerRow, 'record'>): ContainerSummary['task'] {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  return {
    state: row.state,
    pid: row.pid,
    startedAt: time(row.startedAt),
    finishedAt: time(row.finishedAt),
    exitStatus: row.exitStatus,
    exitSignal: row.exitSignal,
    oomKilled: row.oomKilled === 1,
    error: row.error,
    // Written by kago itself.
    evidence: row.evidence === null ? null : (JSON.parse(row.evidence) as Evidence),
    health: readHealth(row.health)?.status ?? null,
    restartCount: row.restartCount,
    restartAt: time(row.restartAt),
  }
}
