/** What the daemon has open for a port that is published now. */
import type { PortRow } from '../state/ports.ts'
import type { ContainerAddresses } from './ports.ts'

export interface HeldPort {
  hostPort: number
  /** Ends connections that were passed on by the daemon, too. */
  close(): Promise<void>
}

/** A port that is published now. */
export interface LivePort {
  row: PortRow
  /** Undefined where nothing can hold it: a port of SCTP, or one that was lost while the daemon was away. */
  held: HeldPort | undefined
  addresses: ContainerAddresses
}
