/** What `inspect` knows, under the names that Docker's users put in their formats. Pure. */
import type { ContainerDetails } from '../../shared/protocol/containers.ts'
import type { ImageDetails } from '../../shared/protocol/images.ts'
import type { NetworkDetails } from '../../shared/protocol/networks.ts'
import type { VolumeDetails } from '../../shared/protocol/volumes.ts'

const never = '0001-01-01T00:00:00Z'

export function dockerContainer(container: ContainerDetails): Record<string, unknown> {
  const { task, options, process } = container
  return {
    Id: container.id,
    // As there: with a slash.
    Name: `/${container.name}`,
    Created: container.createdAt,
    Path: process.args[0] ?? '',
    Args: process.args.slice(1),
    State: {
      Status: task.state,
      Running: ['running', 'paused', 'stopping', 'restarting'].includes(task.state),
      Paused: task.state === 'paused',
      Restarting: task.state === 'restarting',
      OOMKilled: task.oomKilled,
      Dead: task.state === 'lost',
      Pid: task.pid ?? 0,
      ExitCode: task.exitStatus ?? (task.state === 'lost' ? undefined : 0),
      Error: task.error ?? '',
      StartedAt: task.startedAt ?? never,
      FinishedAt: task.finishedAt ?? never,
      ...(container.health !== null && {
        Health: {
          Status: container.health.status,
          FailingStreak: container.health.failingStreak,
          Log: container.health.log.map(({ startedAt, finishedAt, exitStatus, output }) => ({
            Start: startedAt,
            End: finishedAt,
            ExitCode: exitStatus ?? -1,
            Output: output,
          })),
        },
      }),
    },
    Image: container.image.id,
    LogPath: container.paths.log,
    Driver: container.snapshotter,
    Platform: container.image.platform.split('/')[0] ?? '',
    RestartCount: task.restartCount,
    Mounts: options.mounts.map((mount) => dockerMount(mount, container.volumes)),
    Config: {
      Hostname: options.hostname ?? container.id.slice(0, 12),
      User: process.user,
      Tty: options.terminal,
      OpenStdin: options.stdin,
      Env: process.env,
      ExposedPorts: Object.fromEntries(options.expose.map((port) => [port, {}])),
      Cmd: options.command ?? process.args,
      Entrypoint: options.entrypoint ?? null,
      ...(options.health !== undefined && {
        Healthcheck: {
          Test: ['CMD', ...options.health.command],
          Interval: options.health.intervalMs * 1e6,
          Timeout: options.health.timeoutMs * 1e6,
          StartPeriod: options.health.startPeriodMs * 1e6,
          StartInterval: options.health.startIntervalMs * 1e6,
          Retries: options.health.retries,
        },
      }),
      Image: container.image.reference,
      WorkingDir: process.workingDir,
      Labels: options.labels,
      StopSignal: options.stopSignal ?? 'SIGTERM',
      StopTimeout: options.stopTimeoutSeconds ?? null,
    },
    HostConfig: dockerHostConfig(container),
    NetworkSettings: dockerNetworkSettings(container),
  }
}

/** What is on top is that of the network `bridge`, as there; where a container is in another one, of its first. */
function dockerNetworkSettings({ networks, options, ports }: ContainerDetails): Record<string, unknown> {
  const all = networks.map((one) => ({
    IPAMConfig: null,
    Aliases: one.aliases,
    DNSNames: one.aliases,
    NetworkID: one.networkId,
    Gateway: one.ipv4Gateway ?? '',
    IPAddress: one.ipv4Address ?? '',
    IPPrefixLen: one.ipv4PrefixLength,
    IPv6Gateway: one.ipv6Gateway ?? '',
    GlobalIPv6Address: one.ipv6Address ?? '',
    GlobalIPv6PrefixLen: one.ipv6PrefixLength,
    MacAddress: one.macAddress ?? '',
  }))
  const main =
    all[
      Math.max(
        0,
        networks.findIndex(({ networkName }) => networkName === 'bridge'),
      )
    ]
  const alone = { [options.network]: { IPAddress: '' } }
  return {
    Gateway: main?.Gateway ?? '',
    IPAddress: main?.IPAddress ?? '',
    IPPrefixLen: main?.IPPrefixLen ?? 0,
    IPv6Gateway: main?.IPv6Gateway ?? '',
    GlobalIPv6Address: main?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: main?.GlobalIPv6PrefixLen ?? 0,
    MacAddress: main?.MacAddress ?? '',
    Ports: dockerPorts(ports),
    Networks:
      all.length === 0
        ? alone
        : Object.fromEntries(networks.map(({ networkName }, index) => [networkName, all[index]])),
  }
}

/** By `80/tcp`; null where it is exposed and not published. */
function dockerPorts(ports: ContainerDetails['ports']): Record<string, object[] | null> {
  const byName = Map.groupBy(ports, ({ containerPort, protocol }) => `${containerPort}/${protocol}`)
  return Object.fromEntries(
    [...byName].map(([name, members]) => {
      const bindings = members
        .filter(({ hostPort }) => hostPort !== undefined)
        .map(({ hostAddress = '', hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) }))
      return [name, bindings.length === 0 ? null : bindings]
    }),
  )
}

function dockerBindings(publish: ContainerDetails['options']['publish']): Record<string, object[]> {
  const byName = Map.groupBy(publish, ({ containerPort, protocol }) => `${containerPort}/${protocol}`)
  return Object.fromEntries(
    [...byName].map(([name, members]) => [
      name,
      members.map(({ hostAddress = '', hostPort, hostPortEnd }) => ({
        HostIp: hostAddress,
        HostPort: hostPort === undefined ? '' : [hostPort, ...(hostPortEnd ? [hostPortEnd] : [])].join('-'),
      })),
    ]),
  )
}

function dockerHostConfig({ options, runtime }: ContainerDetails): Record<string, unknown> {
  const { resources } = options
  return {
    AutoRemove: options.autoRemove,
    Binds: options.mounts
      .filter(({ type }) => type !== 'tmpfs')
      .map(({ source, target, readOnly }) => `${source ?? ''}:${target}${readOnly === true ? ':ro' : ''}`),
    BlkioWeight: resources.blkioWeight ?? 0,
    CapAdd: options.capAdd,
    CapDrop: options.capDrop,
    CpuShares: resources.cpuShares ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    Dns: options.dns,
    DnsSearch: options.dnsSearch ?? [],
    DnsOptions: options.dnsOptions ?? [],
    ExtraHosts: options.extraHosts,
    GroupAdd: options.groupAdd,
    Init: options.init,
    Memory: resources.memoryBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    NetworkMode: options.network,
    OomScoreAdj: options.oomScoreAdj ?? 0,
    PidsLimit: resources.pidsLimit ?? null,
    PortBindings: dockerBindings(options.publish),
    PublishAllPorts: options.publishAll,
    Privileged: options.privileged,
    ReadonlyRootfs: options.readOnly,
    RestartPolicy: {
      Name: options.restart?.policy ?? 'no',
      MaximumRetryCount: options.restart?.maximumRetries ?? 0,
    },
    Runtime: runtime,
    ShmSize: options.shmSizeBytes ?? 64 * 1024 * 1024,
    Sysctls: options.sysctls,
    Ulimits: options.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  }
}

function dockerMount(
  mount: ContainerDetails['options']['mounts'][number],
  volumes: ContainerDetails['volumes'],
): Record<string, unknown> {
  const { type, source = '', target, readOnly = false, propagation } = mount
  return {
    Type: type,
    ...(type === 'volume' ? { Name: source, Driver: 'local' } : {}),
    Source: type === 'volume' ? (volumes[source] ?? '') : source,
    Destination: target,
    Mode: readOnly ? 'ro' : '',
    RW: !readOnly,
    Propagation: type === 'bind' ? (propagation ?? 'rprivate') : '',
  }
}

export function dockerVolume(volume: VolumeDetails): Record<string, unknown> {
  return {
    Name: volume.name,
    Driver: 'local',
    Scope: 'local',
    Mountpoint: volume.path,
    CreatedAt: volume.createdAt,
    Labels: volume.labels,
    Options: null,
  }
}

export function dockerNetwork(network: NetworkDetails): Record<string, unknown> {
  const at = (address: string | null) => {
    if (address === null) return ''
    const family = network.subnets.find(({ subnet }) => subnet.includes(':') === address.includes(':'))
    return `${address}/${family?.subnet.split('/')[1] ?? ''}`
  }
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: 'default',
      Config: network.subnets.map(({ subnet, gateway, ipRange }) => ({
        Subnet: subnet,
        ...(ipRange !== undefined && { IPRange: ipRange }),
        Gateway: gateway,
      })),
    },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    Containers: Object.fromEntries(
      network.containers
        .filter((one) => one.interface !== null)
        .map((one) => [
          one.containerId,
          {
            Name: one.containerName,
            MacAddress: one.macAddress ?? '',
            IPv4Address: at(one.ipv4Address),
            IPv6Address: at(one.ipv6Address),
          },
        ]),
    ),
    Options: network.options,
    Labels: network.labels,
  }
}

export function dockerImage(image: ImageDetails): Record<string, unknown> {
  const [os = '', architecture = '', variant = ''] = image.platform.split('/')
  return {
    Id: image.id,
    RepoTags: image.names,
    RepoDigests: image.digests,
    Created: image.createdAt ?? never,
    Author: image.author ?? '',
    Os: os,
    Architecture: architecture,
    Variant: variant,
    Size: image.sizeBytes,
    Config: image.config,
    RootFS: { Type: 'layers', Layers: image.layers.map(({ diffId }) => diffId) },
  }
}
