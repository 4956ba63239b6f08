/** What the verbs of volumes work with. Made once, where the daemon is composed. */
import { join } from 'node:path'
import type { EventBus } from '../events/bus.ts'
import type { OperationContext } from '../operation/operation.ts'
import type { Paths } from '../paths.ts'
import type { VolumeRow, VolumeTable } from '../state/volumes.ts'

export interface VolumeContext extends OperationContext {
  readonly paths: Pick<Paths, 'volumes'>
  readonly volumes: VolumeTable
  readonly events: EventBus
  /** Work on a volume's files: one at a time. */
  readonly filling: Map<string, Promise<void>>
}

/** What a container sees of it. Beside it there is room for what kago itself may have to keep. */
export function volumeData({ paths }: Pick<VolumeContext, 'paths'>, { id }: Pick<VolumeRow, 'id'>): string {
  return join(paths.volumes, id, 'data')
}
