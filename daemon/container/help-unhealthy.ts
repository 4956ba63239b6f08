/** What is done to a container that has become unhealthy, as its `onFailure` says. */
import type { HealthAction } from '../../shared/protocol/health.ts'
import type { ContainerContext } from './context.ts'
import { killContainer } from './kill.ts'
import { restartContainer } from './restart.ts'
import { stopContainer } from './stop.ts'

export async function helpUnhealthy(
  context: ContainerContext,
  id: string,
  action: Exclude<HealthAction, 'none'>,
): Promise<void> {
  context.log.info({ container: id, action }, 'it is unhealthy')
  switch (action) {
    case 'restart':
      await restartContainer(context, id, {}, { isAutomatic: true })
      return
    case 'stop':
      await stopContainer(context, id)
      return
    case 'kill':
      // Nobody's wish: its restart policy may bring it back.
      await killContainer(context, id, 'KILL', { isManual: false })
      return
    default:
      return action satisfies never
  }
}
