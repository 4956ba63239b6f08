/** What the verbs of networks work with. Made once, where the daemon is composed. */
import type { Config } from '../config.ts'
import type { EventBus } from '../events/bus.ts'
import type { OperationContext } from '../operation/operation.ts'
import type { NameService } from './name-service.ts'
import type { Paths } from '../paths.ts'
import type { ContainerTable } from '../state/containers.ts'
import type { EndpointTable, NetworkTable } from '../state/networks.ts'

export interface NetworkContext extends OperationContext {
  readonly config: Config
  readonly paths: Paths
  readonly networks: NetworkTable
  readonly endpoints: EndpointTable
  /** Only for names: who holds an address, who is in a network. */
  readonly containers: Pick<ContainerTable, 'find'>
  readonly events: EventBus
  readonly nameService: NameService
}
