/** Every route of kago's own protocol and the verb behind it. */
import type { ContainerContext } from '../../container/context.ts'
import { findContainer } from '../../container/find.ts'
import { isKagoError } from '../../../shared/errors.ts'
import type { DurationHistogram } from '../../telemetry/metrics.ts'
import type { Handlers } from '../route-table.ts'
import { containerHandlers } from './containers.ts'
import { imageHandlers } from './images.ts'
import { networkHandlers } from './networks.ts'
import { operationHandlers } from './operations.ts'
import { systemHandlers } from './system.ts'
import { volumeHandlers } from './volumes.ts'

export function nativeHandlers(context: ContainerContext, durations: DurationHistogram): Handlers {
  return {
    ...systemHandlers(context, durations),
    ...imageHandlers(context.image),
    ...containerHandlers(context),
    ...networkHandlers(context),
    ...volumeHandlers(context),
    ...operationHandlers(context.journal, (text) => containerIdOf(context, text)),
  }
}

function containerIdOf(context: ContainerContext, text: string): string | undefined {
  try {
    return findContainer(context, text).id
  } catch (error) {
    if (isKagoError(error, 'not_found', 'invalid_argument')) return undefined
    throw error
  }
}
