/** What `inspect` knows, under the names that Docker's users put in their formats. Pure. */
import type { ContainerDetails } from '../../shared/protocol/containers.ts'
import type { ImageDetails } from '../../shared/protocol/images.ts'

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
    Mounts: options.mounts.map((mount) => ({
      Type: mount.type,
      Source: mount.source ?? '',
      Destination: mount.target,
      Mode: mount.readOnly === true ? 'ro' : '',
      RW: mount.readOnly !== true,
      Propagation: mount.propagation ?? (mount.type === 'bind' ? 'rprivate' : ''),
    })),
    Config: {
      Hostname: options.hostname ?? container.id.slice(0, 12),
      User: process.user,
      Tty: options.terminal,
      OpenStdin: options.stdin,
      Env: process.env,
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
    NetworkSettings: { IPAddress: '', Ports: {}, Networks: { [options.network]: { IPAddress: '' } } },
  }
}

function dockerHostConfig({ options, runtime }: ContainerDetails): Record<string, unknown> {
  const { resources } = options
  return {
    AutoRemove: options.autoRemove,
    Binds: options.mounts
      .filter(({ type }) => type === 'bind')
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
