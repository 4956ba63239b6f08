/** What the verbs of a container work with. Made once, where the daemon is composed. */
import type { Config } from '../config.ts'
import type { EventBus } from '../events/bus.ts'
import type { ImageContext } from '../image/context.ts'
import type { OperationContext } from '../operation/operation.ts'
import type { NetworkContext } from '../network/context.ts'
import type { Paths } from '../paths.ts'
import type { Runtimes } from '../runtime/runtimes.ts'
import type { HostFacts } from '../runtime/spec.ts'
import type { StartShim } from '../shim/launch.ts'
import type { ContainerTable } from '../state/containers.ts'
import type { DiskUsageTable } from '../state/disk-usage.ts'
import type { Locks } from './locks.ts'
import type { HealthMonitor } from './health-monitor.ts'
import type { BackOffs } from './back-offs.ts'
import type { VolumeContext } from '../volume/context.ts'
import type { LiveTasks } from './task.ts'

export interface ContainerContext extends OperationContext {
  readonly config: Config
  readonly paths: Paths
  readonly containers: ContainerTable
  /** The floor below: images, content, snapshots. */
  readonly image: ImageContext
  readonly network: NetworkContext
  readonly volume: VolumeContext
  readonly runtimes: Runtimes
  readonly startShim: StartShim
  /** What the machine is, as far as a container's specification depends on it. */
  readonly host: HostFacts
  readonly events: EventBus
  readonly tasks: LiveTasks
  readonly locks: Locks
  /** Containers that their restart policy will start. */
  readonly backOffs: BackOffs
  readonly health: HealthMonitor
  /** The ledger of disk space. */
  readonly usage: DiskUsageTable
  /** What goes on after a reply, by container. */
  readonly cleanUps: Map<string, Promise<void>>
}
