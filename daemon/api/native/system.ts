/** The routes of the daemon itself. */
import type { ContainerContext } from '../../container/context.ts'
import { followEvents } from '../../system/events.ts'
import { diskUsage } from '../../system/disk-usage.ts'
import { systemInfo } from '../../system/info.ts'
import { pruneSystem } from '../../system/prune.ts'
import { metricsText } from '../../system/metrics.ts'
import type { DurationHistogram } from '../../telemetry/metrics.ts'
import { daemonVersion } from '../../version.ts'
import type { Handlers } from '../route-table.ts'

type SystemHandlers = Pick<Handlers, Extract<keyof Handlers, `system.${string}` | `registry.${string}`>>

export function systemHandlers(context: ContainerContext, durations: DurationHistogram): SystemHandlers {
  return {
    'system.ping': () => ({ ok: true }),
    'system.version': () => daemonVersion(),
    'system.events': ({ query, signal }) => followEvents(context, query, signal),
    'system.metrics': () => metricsText(context, durations),
    'system.info': () => systemInfo(context),
    'system.prune': ({ body }) => pruneSystem(context, body),
    'system.disk-usage': ({ query }) => diskUsage(context, query),
    'registry.login': async ({ body, signal }) => ({
      registry: body.registry,
      ...(await context.image.registry.checkLogin(body.registry, body.credentials, { signal })),
    }),
  }
}
