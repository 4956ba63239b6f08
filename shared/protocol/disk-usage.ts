/** What everything takes on the disk. */
import { type Static, Type } from 'typebox'
import { closed, Timestamp } from './common.ts'
import { route } from './route.ts'

const total = {
  count: Type.Integer(),
  /** In use: by containers, or running. */
  active: Type.Integer(),
  sizeBytes: Type.Integer(),
  /** What a prune of all that is not in use would free. */
  reclaimableBytes: Type.Integer(),
}

export const DiskUsage = closed({
  /** Trees of layers and the bytes they came as; what several images share counts once. */
  images: closed(total),
  /** What containers wrote. */
  containers: closed({
    ...total,
    /** Some that run could not be measured in time: they count as they were last known. */
    isEstimate: Type.Boolean(),
  }),
  volumes: closed({
    ...total,
    /** Some that a running container has could not be measured in time. */
    isEstimate: Type.Boolean(),
  }),
  /** What containers said. */
  logs: closed(total),
  imageList: Type.Optional(
    Type.Array(
      closed({
        id: Type.String(),
        names: Type.Array(Type.String()),
        createdAt: Type.Union([Timestamp, Type.Null()]),
        sizeBytes: Type.Integer(),
        sharedBytes: Type.Integer(),
        uniqueBytes: Type.Integer(),
        containers: Type.Integer(),
      }),
    ),
  ),
  volumeList: Type.Optional(
    Type.Array(
      closed({
        name: Type.String(),
        sizeBytes: Type.Integer(),
        isEstimate: Type.Boolean(),
        containers: Type.Integer(),
      }),
    ),
  ),
  containerList: Type.Optional(
    Type.Array(
      closed({
        id: Type.String(),
        name: Type.String(),
        image: Type.String(),
        state: Type.String(),
        createdAt: Timestamp,
        writableBytes: Type.Integer(),
        isEstimate: Type.Boolean(),
        logBytes: Type.Integer(),
      }),
    ),
  ),
})
export type DiskUsage = Static<typeof DiskUsage>

export const diskUsageRoutes = {
  'system.disk-usage': route({
    id: 'system.disk-usage',
    summary: 'What images, containers and logs take on the disk, from the ledger',
    query: closed({ verbose: Type.Optional(Type.Boolean()) }),
    reply: 'json',
    result: DiskUsage,
  }),
} as const
