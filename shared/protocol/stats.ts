/** What containers use at this moment, as their cgroups and namespaces count it. */
import { type Static, Type } from 'typebox'
import { closed, Timestamp } from './common.ts'
import { route } from './route.ts'

const Nullable = <T extends ReturnType<typeof Type.Number | typeof Type.Integer>>(type: T) =>
  Type.Union([type, Type.Null()])

/** Null is what this kernel does not count, or a container that does not run. */
export const ContainerStats = closed({
  id: Type.String(),
  name: Type.String(),
  /** Of one processor: 200 is two processors, wholly used. Since the sample before. */
  cpuPercent: Nullable(Type.Number()),
  /** Since its start. */
  cpuMicroseconds: Nullable(Type.Number()),
  /** Without the file cache that the kernel would give back first, as Docker counts it. */
  memoryBytes: Nullable(Type.Integer()),
  /** Its own limit, or the machine's memory. */
  memoryLimitBytes: Nullable(Type.Integer()),
  /** Of all interfaces of its network namespace but loopback; null with the host's network. */
  receivedBytes: Nullable(Type.Integer()),
  sentBytes: Nullable(Type.Integer()),
  /** From and to block devices. */
  readBytes: Nullable(Type.Integer()),
  writtenBytes: Nullable(Type.Integer()),
  /** Processes and threads. */
  pids: Nullable(Type.Integer()),
})
export type ContainerStats = Static<typeof ContainerStats>

export const StatsSample = closed({ at: Timestamp, containers: Type.Array(ContainerStats) })
export type StatsSample = Static<typeof StatsSample>

export const statsRoutes = {
  'container.stats': route({
    id: 'container.stats',
    summary: 'What containers use: a sample a second, or one',
    query: closed({
      /** Names or ids; without it, all that run. */
      container: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 10_000 })),
      /** Those that do not run too. */
      all: Type.Optional(Type.Boolean()),
      /** One sample, and the end. */
      once: Type.Optional(Type.Boolean()),
    }),
    reply: 'stream',
    line: StatsSample,
  }),
}
