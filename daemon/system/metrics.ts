/** Everything that can be counted, for Prometheus: containers, what is kept, operations, the daemon itself. */
import { readdirSync, statSync } from 'node:fs'
import type { ContainerStats } from '../../shared/protocol/stats.ts'
import type { ContainerContext } from '../container/context.ts'
import { readContainer } from '../container/record.ts'
import { runningStats } from '../container/stats.ts'
import { type DurationHistogram, type Metric, renderMetrics } from '../telemetry/metrics.ts'
import { diskUsage } from './disk-usage.ts'
import { daemonVersion } from '../version.ts'

/** `durations` are those of operations, by kind and end. */
export async function metricsText(context: ContainerContext, durations: DurationHistogram): Promise<string> {
  const metrics = [...containerMetrics(context), ...(await keptMetrics(context)), ...daemonMetrics()]
  return renderMetrics(metrics) + durations.render()
}

type Measure = [
  name: string,
  help: string,
  type: Metric['type'],
  read: (stats: ContainerStats) => number | null,
]

const perMicrosecond = 1e-6

const measures: readonly Measure[] = [
  [
    'cpu_seconds_total',
    'Processor time since its start',
    'counter',
    ({ cpuMicroseconds }) => (cpuMicroseconds === null ? null : cpuMicroseconds * perMicrosecond),
  ],
  ['memory_bytes', 'Memory, without inactive file cache', 'gauge', ({ memoryBytes }) => memoryBytes],
  [
    'memory_limit_bytes',
    'Its own limit, or the memory of the machine',
    'gauge',
    ({ memoryLimitBytes }) => memoryLimitBytes,
  ],
  ['network_received_bytes_total', 'Bytes that came in', 'counter', ({ receivedBytes }) => receivedBytes],
  ['network_sent_bytes_total', 'Bytes that went out', 'counter', ({ sentBytes }) => sentBytes],
  ['block_read_bytes_total', 'Bytes from block devices', 'counter', ({ readBytes }) => readBytes],
  ['block_written_bytes_total', 'Bytes to block devices', 'counter', ({ writtenBytes }) => writtenBytes],
  ['pids', 'Processes and threads', 'gauge', ({ pids }) => pids],
]

function containerMetrics(context: ContainerContext): Metric[] {
  const containers = context.containers.list().map(readContainer)
  const images = new Map(containers.map(({ id, record }) => [id, record.image.reference]))
  const stats = runningStats(context)
  const labelsOf = ({ id, name }: { id: string; name: string }) => ({ id, name, image: images.get(id) ?? '' })
  const states = new Map<string, number>()
  for (const { state } of containers) states.set(state, (states.get(state) ?? 0) + 1)
  return [
    {
      name: 'kago_containers',
      help: 'Containers by state',
      type: 'gauge',
      samples: [...states].map(([state, value]) => ({ labels: { state }, value })),
    },
    {
      name: 'kago_container_restarts_total',
      help: 'Starts by its restart policy since somebody started it',
      type: 'counter',
      samples: containers.map((one) => ({ labels: labelsOf(one), value: one.restartCount })),
    },
    ...measures.map(([name, help, type, read]) => ({
      name: `kago_container_${name}`,
      help,
      type,
      samples: stats.flatMap((one) => {
        const value = read(one)
        return value === null ? [] : [{ labels: labelsOf(one), value }]
      }),
    })),
  ]
}

/** What is on the disk, as `system df` tells it. */
async function keptMetrics(context: ContainerContext): Promise<Metric[]> {
  const { database } = context.paths
  const samples = Object.entries(await diskUsage(context)).flatMap(([kind, part]) =>
    typeof part === 'object' && 'sizeBytes' in part ? [{ labels: { kind }, value: part.sizeBytes }] : [],
  )
  const databaseBytes = fileBytes(database) + fileBytes(`${database}-wal`)
  return [
    {
      name: 'kago_kept_bytes',
      help: 'What is kept on the disk, by kind',
      type: 'gauge',
      samples: [...samples, { labels: { kind: 'database' }, value: databaseBytes }],
    },
    {
      name: 'kago_images',
      help: 'Images',
      type: 'gauge',
      samples: [{ labels: {}, value: context.image.images.list().length }],
    },
  ]
}

function daemonMetrics(): Metric[] {
  const { version, commit } = daemonVersion()
  const { user, system } = process.cpuUsage()
  const one = (name: string, help: string, type: Metric['type'], value: number, labels = {}): Metric => ({
    name,
    help,
    type,
    samples: [{ labels, value }],
  })
  return [
    one('kago_build_info', 'Which kagod this is', 'gauge', 1, { version, commit, node: process.version }),
    one('process_cpu_seconds_total', 'Processor time of kagod', 'counter', (user + system) * perMicrosecond),
    one('process_resident_memory_bytes', 'Memory of kagod', 'gauge', process.memoryUsage.rss()),
    one(
      'process_start_time_seconds',
      'When kagod was started',
      'gauge',
      Math.round(Date.now() / 1000 - process.uptime()),
    ),
    one('process_open_fds', 'Open files of kagod', 'gauge', readdirSync('/proc/self/fd').length),
  ]
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
