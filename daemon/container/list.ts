/** Containers as a list, narrowed by filters. */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerSummary, Evidence } from '../../shared/protocol/containers.ts'
import type { ContainerRow } from '../state/containers.ts'
import type { ContainerContext } from './context.ts'
import { networkNames } from './describe-networks.ts'
import { findContainer } from './find.ts'
import { readHealth } from './health-monitor.ts'
import { isAlive } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'

export interface ListOptions {
  all?: boolean | undefined
  limit?: number | undefined
  /** `key=value`; several of one key are alternatives, different keys must all hold. */
  filter?: readonly string[] | undefined
}

/** Newest first; only running ones unless `all`, a limit or a filter by status asks for more. */
export function listContainers(context: ContainerContext, options: ListOptions = {}): ContainerSummary[] {
  const filters = parseFilters(options.filter ?? [])
  const all =
    options.all === true || options.limit !== undefined || filters.has('status') || filters.has('exited')
  const matches = (container: Container) =>
    [...filters].every(([key, values]) =>
      values.some((value) => filterTable[key]?.(context, container, value)),
    )
  return context.containers
    .list()
    .filter((row) => all || isAlive(row.state) || row.state === 'restarting')
    .map(readContainer)
    .filter(matches)
    .slice(0, options.limit)
    .map((container) => summarize(context, container))
}

type Filter = (context: ContainerContext, container: Container, value: string) => boolean

const filterTable: Readonly<Record<string, Filter>> = {
  id: (_context, container, value) => container.id.startsWith(value),
  name: (_context, container, value) => container.name.includes(value.replace(/^\//, '')),
  label: (_context, container, value) => {
    const at = value.indexOf('=')
    const { labels } = container.record.options
    return at < 0 ? Object.hasOwn(labels, value) : labels[value.slice(0, at)] === value.slice(at + 1)
  },
  health: (_context, container, value) => (readHealth(container.health)?.status ?? 'none') === value,
  status: (_context, container, value) => container.state === value,
  exited: (_context, container, value) =>
    container.state === 'exited' && container.exitStatus === Number(value),
  ancestor: (_context, { record: { image } }, value) =>
    image.reference === value ||
    image.reference === `${value}:latest` ||
    image.id === value ||
    image.id.startsWith(`sha256:${value}`),
  network: (context, container, value) =>
    container.record.options.network === value || networkNames(context, container.id).includes(value),
  before: (context, container, value) => container.createdAt < findContainer(context, value).createdAt,
  since: (context, container, value) => container.createdAt > findContainer(context, value).createdAt,
}

/** @throws invalid_argument naming the filters there are. */
function parseFilters(texts: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>()
  for (const text of texts) {
    const at = text.indexOf('=')
    const key = at < 0 ? text : text.slice(0, at)
    if (at < 0 || !Object.hasOwn(filterTable, key)) {
      throw new KagoError('invalid_argument', `no such filter: ${text}`, {
        hint: `a filter is KEY=VALUE with one of ${Object.keys(filterTable).join(', ')}`,
      })
    }
    filters.set(key, [...(filters.get(key) ?? []), text.slice(at + 1)])
  }
  return filters
}

export function summarize(
  context: Pick<ContainerContext, 'network'>,
  container: Container,
): ContainerSummary {
  const { record } = container
  return {
    id: container.id,
    name: container.name,
    image: record.image.reference,
    imageId: record.image.id,
    args: record.process.args,
    createdAt: new Date(container.createdAt).toISOString(),
    task: describeTask(container),
    ports: [],
    labels: record.options.labels,
    mounts: record.options.mounts.map((mount) => mount.source ?? mount.target),
    network: record.options.network,
    networks: networkNames(context, container.id),
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
