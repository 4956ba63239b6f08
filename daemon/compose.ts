/** Puts the daemon together: the only place that knows all the parts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventTable } from './state/events.ts'
import os from 'node:os'
import { normalisePlatform } from '../shared/oci/platform.ts'
import { createServer } from './api/server.ts'
import { listenOnSocket } from './api/listen.ts'
import { type RegistryListener, serveRegistry } from './api/registry/serve.ts'
import { nativeHandlers } from './api/native/index.ts'
import type { Config } from './config.ts'
import { allCleanedUp } from './container/clean-up.ts'
import { announceAll } from './container/announce.ts'
import { createBackOffs } from './container/back-offs.ts'
import { containerAttributes } from './container/event-attributes.ts'
import type { ContainerContext } from './container/context.ts'
import { createHealthMonitor } from './container/health-monitor.ts'
import { helpUnhealthy } from './container/help-unhealthy.ts'
import { probe } from './container/probe.ts'
import { createLocks } from './container/locks.ts'
import { isRunning } from './container/leave-networks.ts'
import { releaseTasks } from './container/on-exit.ts'
import { restoreContainers } from './container/restore.ts'
import { followPolicies, startAgain } from './container/start-again.ts'
import { containerUndos } from './container/undos.ts'
import { openContentStore } from './content/store.ts'
import { createEventBus } from './events/bus.ts'
import { readHostFacts } from './host/features.ts'
import { notifyReady } from './host/notify.ts'
import { settleDeletions } from './image/collect.ts'
import { createImageMemory, type ImageContext } from './image/context.ts'
import { loadEmbedded } from './image/embedded.ts'
import { recoverImages } from './image/recover.ts'
import { imageUndos } from './image/undos.ts'
import { takeRoots } from './instance.ts'
import { createFirewall } from './network/apply-firewall.ts'
import { createNetworkMemory, type NetworkContext } from './network/context.ts'
import { createNameService } from './network/name-service.ts'
import { readNetwork } from './network/records.ts'
import { restoreNetworks } from './network/restore.ts'
import { networkUndos } from './network/undos.ts'
import type { OperationContext, UndoTable } from './operation/operation.ts'
import { faultsFromFile } from './operation/faults.ts'
import { operationDurations, withDurations } from './operation/durations.ts'
import { recoverOperations } from './operation/recover.ts'
import { resolvePaths } from './paths.ts'
import { createRegistryClient } from './registry/client.ts'
import { capabilityNames } from './runtime/spec/capabilities.ts'
import { createRuntimes } from './runtime/runtimes.ts'
import { startSpawner } from './shim/spawner.ts'
import { openSnapshotter } from './snapshot/choose.ts'
import { containerTable } from './state/containers.ts'
import { openDatabase } from './state/database.ts'
import { diskUsageTable } from './state/disk-usage.ts'
import { imageTable } from './state/images.ts'
import { endpointTable, networkTable } from './state/networks.ts'
import { portTable } from './state/ports.ts'
import { operationTable } from './state/operations.ts'
import { volumeTable } from './state/volumes.ts'
import { createLog } from './telemetry/log.ts'
import { daemonVersion } from './version.ts'
import type { VolumeContext } from './volume/context.ts'
import { restoreVolumes } from './volume/restore.ts'
import { volumeUndos } from './volume/undos.ts'

export interface Daemon {
  /** Stops listening, lets what goes on after replies finish, and gives the roots back. Containers go on. */
  close(): Promise<void>
}

const operationsKept = 2000
const pruneEveryMs = 60 * 60 * 1000
/** How long operations have to end with the daemon; what is cut off then is rolled back by its next start. */
const endPatienceMs = 10_000

/** Starts a daemon: takes the roots, repairs, then listens. */
export async function startDaemon(config: Config): Promise<Daemon> {
  const log = createLog(config.logLevel)
  const paths = resolvePaths(config)
  const instance = takeRoots(paths)
  const database = openDatabase(paths.database)
  const undos: UndoTable = new Map()
  const durations = operationDurations()
  const operations: OperationContext = {
    journal: withDurations(operationTable(database), durations),
    undos,
    faults: faultsFromFile(process.env['KAGO_FAULT_FILE']),
    log,
  }
  const containers = containerTable(database)
  const events = createEventBus({
    history: eventTable(database),
    describe: (id) => containerAttributes(containers, id),
  })
  const image: ImageContext = {
    ...operations,
    images: imageTable(database),
    containers,
    content: openContentStore({ root: paths.dataRoot }),
    snapshotter: await openSnapshotter(config.snapshotter, paths.layers),
    registry: createRegistryClient(
      {
        insecureRegistries: config.insecureRegistries,
        mirrors: config.mirrors,
        peers: config.peers,
        certsDir: config.certsDir,
      },
      log,
    ),
    events,
    unpackChildPath: paths.programs.unpackLayer,
    platform: normalisePlatform({ os: 'linux', architecture: process.arch }),
    dataRoot: paths.dataRoot,
    memory: createImageMemory(),
  }
  const spawner = await startSpawner(paths.programs.shim, paths.spawnerSocket, log)
  const networks = networkTable(database)
  const networkMemory = createNetworkMemory(operations)
  const network: NetworkContext = {
    ...operations,
    config,
    paths,
    networks,
    endpoints: endpointTable(database),
    ports: portTable(database),
    firewall: createFirewall({
      table: config.firewallTable,
      networks: () =>
        networks.list().map((row) => {
          const dnsPort = networkMemory.dnsPorts.get(row.id)
          return { ...readNetwork(row), ...(dnsPort !== undefined && { dnsPort }) }
        }),
      log,
    }),
    containers,
    events,
    nameService: createNameService(log, config.resolvConf),
    memory: networkMemory,
  }
  const volume: VolumeContext = {
    ...operations,
    paths,
    volumes: volumeTable(database),
    events,
    filling: new Map(),
  }
  const context: ContainerContext = {
    ...operations,
    config,
    paths,
    containers,
    image,
    network,
    volume,
    runtimes: createRuntimes({ runRoot: paths.runtimeState, runtimes: config.runtimes }, spawner.runQuietly),
    startShim: spawner.start,
    host: readHostFacts(capabilityNames),
    events,
    tasks: new Map(),
    locks: createLocks(),
    backOffs: createBackOffs(),
    health: createHealthMonitor(() => context, {
      probe: (container, check, signal) => probe(context, container, check, signal),
      act: (id, action) => helpUnhealthy(context, id, action),
    }),
    usage: diskUsageTable(database),
    cleanUps: new Map(),
  }
  for (const [name, undo] of [
    ...imageUndos(image),
    ...networkUndos(network),
    ...volumeUndos(volume),
    ...containerUndos(context),
  ])
    undos.set(name, undo)

  await recoverOperations(operations)
  await recoverImages(image)
  await restoreContainers(context)
  await restoreVolumes(volume)
  await restoreNetworks(network, (id) => isRunning(context, id))
  announceAll(context)
  followPolicies(context)
  pruneJournal(operations)
  await loadEmbedded(image, paths.programs.embeddedImage)

  const offering = await offerImages(image, config)
  const app = createServer(nativeHandlers(context, durations), log)
  await listenOnSocket(app, paths.socket, config.socketGroup)
  context.backOffs.open((id) => startAgain(context, id))
  const pruning = setInterval(() => {
    pruneJournal(operations)
  }, pruneEveryMs).unref()
  events.publish({ type: 'daemon', action: 'start', id: os.hostname() })
  log.info({ ...daemonVersion(), socket: paths.socket, pid: process.pid }, 'kagod is ready')
  await notifyReady().catch((error: unknown) => {
    log.warn({ err: error }, 'the service manager could not be told')
  })

  return {
    async close() {
      log.info({}, 'ending; containers go on')
      clearInterval(pruning)
      await Promise.all([app.close(), offering?.close()])
      await Promise.all([context.backOffs.close(), context.health.close()])
      await idle(operations)
      await allCleanedUp(context)
      releaseTasks(context)
      network.firewall.close()
      network.memory.close()
      await network.nameService.server.close()
      await spawner.close()
      await settleDeletions(image)
      await image.registry.close()
      database.close()
      instance.release()
    },
  }
}

/** Off unless the configuration says where. */
async function offerImages(image: ImageContext, config: Config): Promise<RegistryListener | undefined> {
  const { registryListen: listen, registryUsers, registryCertificate, registryKey } = config
  if (listen === undefined) return undefined
  const offering = await serveRegistry(image, {
    listen,
    usersFile: registryUsers,
    certificateFile: registryCertificate,
    keyFile: registryKey,
  })
  image.log.info({ address: offering.address }, 'images can be pulled from here')
  return offering
}

function pruneJournal({ journal, log }: OperationContext): void {
  try {
    journal.prune(operationsKept)
  } catch (error) {
    log.warn({ err: error }, 'old operations could not be forgotten')
  }
}

/** Waits for what requests have begun: it goes on after their connections are closed. */
async function idle({ journal, log }: OperationContext): Promise<void> {
  const deadline = Date.now() + endPatienceMs
  while (journal.isBusy()) {
    if (Date.now() > deadline) return log.warn({}, 'ending with operations at work')
    await sleep(20)
  }
}
