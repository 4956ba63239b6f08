/** The tasks that run now, each with its shim's connection: what the daemon holds in memory, and rebuilds at its start. */
import type { ShimConnection } from '../shim/client.ts'

export interface LiveTask {
  readonly shim: ShimConnection
  /** Settles when its end has been recorded: from then on, the database tells the truth about it. */
  readonly ended: Promise<void>
  /** Its end is not the container's: one that removes itself stays for the start that follows. */
  isRestarting?: boolean
}

export type LiveTasks = Map<string, LiveTask>
