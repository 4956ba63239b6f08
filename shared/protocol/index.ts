/** The whole contract: every route by its id. */
import { containerRoutes } from './containers.ts'
import { diskUsageRoutes } from './disk-usage.ts'
import type { RouteId } from './endpoints.ts'
import { eventRoutes } from './events.ts'
import { fileRoutes } from './files.ts'
import { imageRoutes } from './images.ts'
import { networkRoutes } from './networks.ts'
import { operationRoutes } from './operations.ts'
import { pruneRoutes } from './prune.ts'
import type { Route } from './route.ts'
import { statsRoutes } from './stats.ts'
import { systemRoutes } from './system.ts'
import { volumeRoutes } from './volumes.ts'

export const routes = {
  ...systemRoutes,
  ...diskUsageRoutes,
  ...pruneRoutes,
  ...eventRoutes,
  ...statsRoutes,
  ...imageRoutes,
  ...containerRoutes,
  ...fileRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...operationRoutes,
} as const satisfies Record<RouteId, Route>

export type Routes = typeof routes
