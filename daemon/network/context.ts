/** What the verbs of networks work with. Made once, where the daemon is composed. */
import type { Config } from '../config.ts'
import type { EventBus } from '../events/bus.ts'
import type { Namespace } from '../host/netns.ts'
import { openRouting, type RouteSocket } from '../host/netlink.ts'
import type { OperationContext } from '../operation/operation.ts'
import type { NameService } from './name-service.ts'
import type { Paths } from '../paths.ts'
import type { ContainerTable } from '../state/containers.ts'
import type { EndpointTable, NetworkTable } from '../state/networks.ts'
import type { PortTable } from '../state/ports.ts'
import type { Firewall } from './apply-firewall.ts'
import { createNamespacePool, type NamespacePool } from './pool.ts'
import type { LivePort } from './live-port.ts'

export interface NetworkContext extends OperationContext {
  readonly config: Config
  readonly paths: Paths
  readonly networks: NetworkTable
  readonly endpoints: EndpointTable
  readonly ports: PortTable
  readonly firewall: Firewall
  /** Only for names: who holds an address, who is in a network. */
  readonly containers: Pick<ContainerTable, 'find'>
  readonly events: EventBus
  readonly nameService: NameService
  readonly memory: NetworkMemory
}

/** A bridge that is there. */
export interface Bridge {
  index: number
  mtu: number
}

/** Another firewall that drops what containers send or are sent, and how its owner lets them through. */
export interface Obstacle {
  detail: string
  hint: string
}

/** What is known and open between two calls, and lost without harm. */
export interface NetworkMemory {
  /** In the host's namespace, for what a start waits for. */
  readonly routing: RouteSocket
  /** The same for what nobody waits for: the kernel takes some 20 ms to delete a link. */
  readonly removals: RouteSocket
  readonly pool: NamespacePool
  /** Bridges that are known to be there, by network. */
  readonly bridges: Map<string, Promise<Bridge>>
  /** Namespaces of containers that are being started, until their process holds them. */
  readonly namespaces: Map<string, Namespace>
  /** Where the name server listens for a network, if not at port 53. */
  readonly dnsPorts: Map<string, number>
  /** Published ports by container. */
  readonly ports: Map<string, LivePort[]>
  /** The last address that was handed out, by network and family: the next one is looked for after it. */
  readonly cursors: Map<string, bigint>
  /** What another firewall does to containers, when it was last looked at. */
  obstacle: { at: number; found: Obstacle | undefined } | undefined
  close(): void
}

const namespacesReady = 3

export function createNetworkMemory({ log }: Pick<OperationContext, 'log'>): NetworkMemory {
  const routing = openRouting()
  const removals = openRouting('slow')
  const pool = createNamespacePool(namespacesReady, log)
  const namespaces = new Map<string, Namespace>()
  const ports = new Map<string, LivePort[]>()
  return {
    routing,
    removals,
    pool,
    bridges: new Map(),
    namespaces,
    dnsPorts: new Map(),
    ports,
    cursors: new Map(),
    obstacle: undefined,
    close() {
      pool.close()
      for (const namespace of namespaces.values()) namespace.close()
      for (const { held } of [...ports.values()].flat()) void held?.close()
      routing.close()
      removals.close()
    },
  }
}
