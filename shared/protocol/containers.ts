/** Containers: what one is made from, what is told of it, and the verbs. */
import { type Static, Type } from 'typebox'
import { closed, ContainerId, ContainerParams, Empty, PlatformText, StringMap, Timestamp } from './common.ts'
import { Health, HealthCheck, HealthRequest, HealthStatus } from './health.ts'
import { route } from './route.ts'

/** When a container that has ended is started again; `maximumRetries` is of `on-failure` only, 0 is no limit. */
export const RestartPolicy = closed({
  policy: Type.Union([
    Type.Literal('no'),
    Type.Literal('on-failure'),
    Type.Literal('always'),
    Type.Literal('unless-stopped'),
  ]),
  maximumRetries: Type.Optional(Type.Integer({ minimum: 0 })),
})
export type RestartPolicy = Static<typeof RestartPolicy>

const Path = Type.String({ minLength: 1, maxLength: 4096 })
const Words = Type.Array(Type.String({ maxLength: 131072 }), { maxItems: 10000 })

/** Limits that the kernel keeps, by cgroup. Absent means no limit. */
export const Resources = closed({
  memoryBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Memory and swap together; -1 is no limit on swap. */
  memorySwapBytes: Type.Optional(Type.Integer({ minimum: -1 })),
  /** Processors in units of 10⁻⁹: 1.5 processors are 1 500 000 000. */
  nanoCpus: Type.Optional(Type.Integer({ minimum: 0 })),
  cpuShares: Type.Optional(Type.Integer({ minimum: 0, maximum: 262144 })),
  cpusetCpus: Type.Optional(Type.String({ maxLength: 1000 })),
  /** -1 and 0 are no limit. */
  pidsLimit: Type.Optional(Type.Integer({ minimum: -1 })),
  blkioWeight: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
})
export type Resources = Static<typeof Resources>

export const Mount = closed({
  type: Type.Union([Type.Literal('bind'), Type.Literal('tmpfs'), Type.Literal('volume')]),
  /** Of `bind`, a path on the daemon's machine; of `volume`, its name: without one it is made for the container. */
  source: Type.Optional(Path),
  target: Path,
  readOnly: Type.Optional(Type.Boolean()),
  propagation: Type.Optional(
    Type.Union([
      Type.Literal('private'),
      Type.Literal('rprivate'),
      Type.Literal('shared'),
      Type.Literal('rshared'),
      Type.Literal('slave'),
      Type.Literal('rslave'),
    ]),
  ),
  /**
   * Of `bind` only: what is mounted below the source. `enabled` comes along (also without this key), read-only where the
   * kernel can; `writable` never becomes read-only, `readonly` must, `disabled` stays behind.
   */
  recursive: Type.Optional(
    Type.Union([
      Type.Literal('enabled'),
      Type.Literal('disabled'),
      Type.Literal('writable'),
      Type.Literal('readonly'),
    ]),
  ),
  /** Of `bind` only: a source that is missing is made, as an empty directory. */
  createSource: Type.Optional(Type.Boolean()),
  /** Of `volume` only: an empty one does not get what the image has at its place. */
  noCopy: Type.Optional(Type.Boolean()),
  /** Of `volume` only: a part of it. No symbolic link leads out. */
  subpath: Type.Optional(Path),
  /** Of `volume` only, for one that is made. */
  volumeLabels: Type.Optional(StringMap),
  /** Of `tmpfs` only. */
  sizeBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  mode: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o7777 })),
})
export type Mount = Static<typeof Mount>

/** A port of the container that the host answers at. */
export const PublishedPort = closed({
  /** An address of the host; absent means those of the daemon's `publishAddress`, usually all. */
  hostAddress: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  /** Absent means one that is free. */
  hostPort: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
  /** The last of a range from `hostPort` on, of which the first free one is taken. */
  hostPortEnd: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
  containerPort: Type.Integer({ minimum: 0, maximum: 65535 }),
  protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp'), Type.Literal('sctp')]),
})
export type PublishedPort = Static<typeof PublishedPort>

/** How a container is to run. Everything but `image` may be left out of a request; the daemon writes the defaults in. */
const runFields = {
  /** Words after the entrypoint; instead of the image's Cmd. */
  command: Type.Optional(Words),
  /** Instead of the image's Entrypoint, and then its Cmd is not used either; `[""]` means no entrypoint at all. */
  entrypoint: Type.Optional(Words),
  /** `KEY=value`; a bare `KEY` removes what the image sets. */
  env: Words,
  workingDir: Type.Optional(Path),
  /** `user[:group]`, names or numbers. */
  user: Type.Optional(Type.String({ maxLength: 256 })),
  groupAdd: Words,
  hostname: Type.Optional(Type.String({ maxLength: 64 })),
  readOnly: Type.Boolean(),
  tmpfs: Type.Array(closed({ target: Path, options: Type.String({ maxLength: 4096 }) })),
  mounts: Type.Array(Mount, { maxItems: 1000 }),
  /** `NAME[:ro|rw]`: all binds and volumes of another container. */
  volumesFrom: Type.Optional(Words),
  capAdd: Words,
  capDrop: Words,
  privileged: Type.Boolean(),
  securityOpt: closed({
    noNewPrivileges: Type.Optional(Type.Boolean()),
    /** `unconfined`, or a profile in Docker's format. */
    seccomp: Type.Optional(
      Type.Union([Type.Literal('unconfined'), Type.Record(Type.String(), Type.Unknown())]),
    ),
    /** A loaded profile's name, or `unconfined`. */
    apparmor: Type.Optional(Type.String({ maxLength: 256 })),
  }),
  resources: Resources,
  devices: Type.Array(
    closed({ hostPath: Path, containerPath: Path, permissions: Type.String({ pattern: '^[rwm]{1,3}$' }) }),
  ),
  ulimits: Type.Array(
    closed({ name: Type.String({ maxLength: 32 }), soft: Type.Integer(), hard: Type.Integer() }),
  ),
  sysctls: StringMap,
  shmSizeBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  init: Type.Boolean(),
  terminal: Type.Boolean(),
  /** Whether stdin stays open. */
  stdin: Type.Boolean(),
  /** The name or id of a network, `none`, `host`, or `container:NAME` to share that container's. */
  network: Type.String({ minLength: 1, maxLength: 300 }),
  /** Names that the container has in that network beside its own. */
  networkAliases: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
  ipv4Address: Type.Optional(Type.String({ maxLength: 64 })),
  ipv6Address: Type.Optional(Type.String({ maxLength: 64 })),
  macAddress: Type.Optional(Type.String({ maxLength: 64 })),
  publish: Type.Array(PublishedPort, { maxItems: 65535 }),
  /** Publish all ports that the image and `expose` name. */
  publishAll: Type.Boolean(),
  /** `80/tcp`: ports that the container answers at, beside those of its image. */
  expose: Words,
  oomScoreAdj: Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000 })),
  /** `name:address`; the address `host-gateway` is the host's, as the container sees it. */
  extraHosts: Words,
  /** Addresses of name servers, search domains (`.` means none) and options of resolv.conf, instead of the host's. */
  dns: Words,
  dnsSearch: Type.Optional(Words),
  dnsOptions: Type.Optional(Words),
  labels: StringMap,
  stopSignal: Type.Optional(Type.String({ maxLength: 32 })),
  stopTimeoutSeconds: Type.Optional(Type.Integer({ minimum: -1 })),
  autoRemove: Type.Boolean(),
  restart: Type.Optional(RestartPolicy),
  health: Type.Optional(HealthCheck),
  /** The name of a configured runtime. */
  runtime: Type.Optional(Type.String({ maxLength: 64 })),
}

/** A container's options as its record holds them: complete. */
export const ContainerOptions = closed(runFields)
export type ContainerOptions = Static<typeof ContainerOptions>

/** What a request for a new container may say. */
export const CreateBody = closed({
  ...Type.Partial(Type.Object(runFields)).properties,
  health: Type.Optional(HealthRequest),
  image: Type.String({ minLength: 1, maxLength: 4096 }),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  platform: Type.Optional(PlatformText),
  pull: Type.Optional(Type.Union([Type.Literal('missing'), Type.Literal('always'), Type.Literal('never')])),
})
export type CreateBody = Static<typeof CreateBody>

/** What is left out stays as it is. */
export const UpdateBody = closed({
  /** For a running container at once, as far as the kernel allows. */
  resources: Type.Optional(Resources),
  restart: Type.Optional(RestartPolicy),
  labelAdd: Type.Optional(StringMap),
  labelRemove: Type.Optional(Words),
  /** `KEY=value`; from the next start on. */
  envAdd: Type.Optional(Words),
  /** Names, also of variables that the image sets; from the next start on. */
  envRemove: Type.Optional(Words),
  /** At once for a running container; connections by other ports go on. */
  publishAdd: Type.Optional(Type.Array(PublishedPort, { maxItems: 65535 })),
  /** Those of `hostPort`; of all addresses without `hostAddress`, and of any port of the container for 0. */
  publishRemove: Type.Optional(Type.Array(PublishedPort, { maxItems: 65535 })),
})
export type UpdateBody = Static<typeof UpdateBody>

const Size = closed({
  columns: Type.Integer({ minimum: 0, maximum: 65535 }),
  rows: Type.Integer({ minimum: 0, maximum: 65535 }),
})

export const State = Type.Union([
  Type.Literal('created'),
  Type.Literal('starting'),
  Type.Literal('running'),
  Type.Literal('paused'),
  Type.Literal('stopping'),
  /** It has ended, and its restart policy will start it again. */
  Type.Literal('restarting'),
  Type.Literal('exited'),
  Type.Literal('lost'),
  Type.Literal('removing'),
])
export type State = Static<typeof State>

export const Port = closed({
  containerPort: Type.Integer(),
  protocol: Type.String(),
  /** Absent with `hostPort` where it is exposed and not published. */
  hostAddress: Type.Optional(Type.String()),
  hostPort: Type.Optional(Type.Integer()),
  /** With `who`: the addresses by which it is reached, and whose they are. */
  reachable: Type.Optional(
    Type.Array(
      closed({
        address: Type.String(),
        interface: Type.String(),
        /** `machine`: this machine alone; `containers`: kago's networks; `network`: whoever reaches the address. */
        by: Type.Union([Type.Literal('machine'), Type.Literal('containers'), Type.Literal('network')]),
      }),
    ),
  ),
})
export type Port = Static<typeof Port>

/** How the last run ended, or why the last start failed, and what tells it. */
export const Evidence = closed({
  kind: Type.Union([
    Type.Literal('exit'),
    Type.Literal('signal'),
    /** The kernel killed a process of it for memory. */
    Type.Literal('oom'),
    Type.Literal('lost'),
    Type.Literal('start-failed'),
  ]),
  /** One sentence. */
  summary: Type.String(),
  /** `SIGTERM`. */
  signal: Type.Optional(Type.String()),
  /** That stop, kill or rm asked for it. */
  isManual: Type.Optional(Type.Boolean()),
  /** The counters of its cgroup at the end. */
  memory: Type.Optional(
    closed({
      oomKills: Type.Integer(),
      peakBytes: Type.Optional(Type.Integer()),
      limitBytes: Type.Optional(Type.Integer()),
    }),
  ),
  /** What the runtime said, up to 4 KiB. */
  runtimeLog: Type.Optional(Type.String()),
})
export type Evidence = Static<typeof Evidence>

/** A container's run, now or last. `exitStatus` is true or null, never invented; 128 + signal when a signal ended it. */
const Task = closed({
  state: State,
  pid: Type.Union([Type.Integer(), Type.Null()]),
  startedAt: Type.Union([Timestamp, Type.Null()]),
  finishedAt: Type.Union([Timestamp, Type.Null()]),
  exitStatus: Type.Union([Type.Integer(), Type.Null()]),
  exitSignal: Type.Union([Type.Integer(), Type.Null()]),
  oomKilled: Type.Boolean(),
  /** Why the last start failed or the outcome is unknown. */
  error: Type.Union([Type.String(), Type.Null()]),
  evidence: Type.Union([Evidence, Type.Null()]),
  /** Null where it has no health check. */
  health: Type.Union([HealthStatus, Type.Null()]),
  /** How often its restart policy has started it since somebody did. */
  restartCount: Type.Integer(),
  /** When the policy starts it next; null where it does not wait for that. */
  restartAt: Type.Union([Timestamp, Type.Null()]),
})

export const ContainerSummary = closed({
  id: Type.String(),
  name: Type.String(),
  image: Type.String(),
  imageId: Type.String(),
  /** The words of process 1. */
  args: Type.Array(Type.String()),
  createdAt: Timestamp,
  task: Task,
  ports: Type.Array(Port),
  labels: StringMap,
  mounts: Type.Array(Type.String()),
  /** What it was created with: a network, `none`, `host` or `container:ID`. */
  network: Type.String(),
  /** The names of the networks that it is in. */
  networks: Type.Array(Type.String()),
  runtime: Type.String(),
  /** Where it was asked for: bytes it wrote, and with its image's layers. */
  size: Type.Optional(
    closed({
      writableBytes: Type.Integer(),
      rootBytes: Type.Integer(),
      /** It runs and could not be measured in time: as it was last known. */
      isEstimate: Type.Boolean(),
    }),
  ),
})
export type ContainerSummary = Static<typeof ContainerSummary>

const orNull = Type.Union([Type.String(), Type.Null()])

/** A container's place in a network. Interface, addresses and gateways are null while it does not run. */
export const ContainerNetwork = closed({
  networkId: Type.String(),
  networkName: Type.String(),
  interface: orNull,
  ipv4Address: orNull,
  ipv4Gateway: orNull,
  ipv4PrefixLength: Type.Integer(),
  ipv6Address: orNull,
  ipv6Gateway: orNull,
  ipv6PrefixLength: Type.Integer(),
  macAddress: orNull,
  aliases: Type.Array(Type.String()),
})
export type ContainerNetwork = Static<typeof ContainerNetwork>

export const ContainerDetails = closed({
  id: Type.String(),
  name: Type.String(),
  createdAt: Timestamp,
  task: Task,
  image: closed({
    /** The name it was asked for by. */
    reference: Type.String(),
    /** The digest of the image's config. */
    id: Type.String(),
    manifestDigest: Type.String(),
    platform: Type.String(),
  }),
  /** What runs, after the image's defaults were applied. */
  process: closed({
    args: Type.Array(Type.String()),
    env: Type.Array(Type.String()),
    workingDir: Type.String(),
    user: Type.String(),
  }),
  options: ContainerOptions,
  /** Published now, and those that are only exposed. */
  ports: Type.Array(Port),
  networks: Type.Array(ContainerNetwork),
  runtime: Type.String(),
  snapshotter: Type.String(),
  health: Type.Union([Health, Type.Null()]),
  /** Where the files of its volumes are, by name. */
  volumes: StringMap,
  paths: closed({ directory: Type.String(), bundle: Type.String(), log: Type.String() }),
})
export type ContainerDetails = Static<typeof ContainerDetails>

const flag = Type.Optional(Type.Boolean())

export const ExecBody = closed({
  command: Type.Array(Type.String({ maxLength: 131072 }), { minItems: 1, maxItems: 10000 }),
  env: Type.Optional(Words),
  user: Type.Optional(Type.String({ maxLength: 256 })),
  workingDir: Type.Optional(Path),
  privileged: flag,
  terminal: flag,
  stdin: flag,
  size: Type.Optional(Size),
})
export type ExecBody = Static<typeof ExecBody>

export const containerRoutes = {
  'container.create': route({
    id: 'container.create',
    summary: 'Create a container; with ?start=true, run it in the background',
    query: closed({ start: flag }),
    body: CreateBody,
    reply: 'lines',
    result: ContainerId,
  }),
  'container.run': route({
    id: 'container.run',
    summary: 'Create, start and attach: one exchange. Progress comes as event frames, then output, then exit',
    body: closed({
      create: CreateBody,
      attach: Type.Optional(closed({ stdin: flag, output: flag })),
      size: Type.Optional(Size),
    }),
    reply: 'upgrade',
  }),
  'container.list': route({
    id: 'container.list',
    summary: 'List containers, newest first',
    query: closed({
      all: flag,
      limit: Type.Optional(Type.Integer({ minimum: 1 })),
      /** Also how much each has written. */
      size: flag,
      /** `key=value`, as Docker's: id, name, label, status, exited, ancestor, before, since. */
      filter: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
    }),
    reply: 'json',
    result: Type.Array(ContainerSummary),
  }),
  'container.inspect': route({
    id: 'container.inspect',
    summary: 'Everything that is known of a container',
    params: ContainerParams,
    reply: 'json',
    result: ContainerDetails,
  }),
  'container.remove': route({
    id: 'container.remove',
    summary: 'Remove a container, its writable layer and its log',
    params: ContainerParams,
    query: closed({ force: flag, volumes: flag }),
    reply: 'json',
    result: ContainerId,
  }),
  'container.start': route({
    id: 'container.start',
    summary: 'Start a container in the background',
    params: ContainerParams,
    body: Empty,
    reply: 'json',
    result: ContainerId,
  }),
  'container.start-attached': route({
    id: 'container.start-attached',
    summary: 'Start a container with this connection attached to it from its first byte',
    params: ContainerParams,
    body: closed({ stdin: flag, size: Type.Optional(Size) }),
    reply: 'upgrade',
  }),
  'container.stop': route({
    id: 'container.stop',
    summary: 'Ask the process to end, then kill it',
    params: ContainerParams,
    body: closed({
      timeoutSeconds: Type.Optional(Type.Integer({ minimum: -1 })),
      signal: Type.Optional(Type.String({ maxLength: 32 })),
    }),
    reply: 'json',
    result: ContainerId,
  }),
  'container.restart': route({
    id: 'container.restart',
    summary: 'Stop and start',
    params: ContainerParams,
    body: closed({
      timeoutSeconds: Type.Optional(Type.Integer({ minimum: -1 })),
      signal: Type.Optional(Type.String({ maxLength: 32 })),
    }),
    reply: 'json',
    result: ContainerId,
  }),
  'container.kill': route({
    id: 'container.kill',
    summary: 'Send a signal to process 1',
    params: ContainerParams,
    body: closed({ signal: Type.Optional(Type.String({ maxLength: 32 })) }),
    reply: 'json',
    result: ContainerId,
  }),
  'container.pause': route({
    id: 'container.pause',
    summary: 'Freeze all processes of a container',
    params: ContainerParams,
    body: Empty,
    reply: 'json',
    result: ContainerId,
  }),
  'container.unpause': route({
    id: 'container.unpause',
    summary: 'Let frozen processes go on',
    params: ContainerParams,
    body: Empty,
    reply: 'json',
    result: ContainerId,
  }),
  'container.wait': route({
    id: 'container.wait',
    summary: 'Answer when the container has ended, with its exit status; or when it runs, or is healthy',
    params: ContainerParams,
    query: closed({
      condition: Type.Optional(
        Type.Union([
          Type.Literal('not-running'),
          Type.Literal('next-exit'),
          Type.Literal('removed'),
          /** With these two the status is null. */
          Type.Literal('running'),
          Type.Literal('healthy'),
        ]),
      ),
    }),
    reply: 'json',
    result: closed({ exitStatus: Type.Union([Type.Integer(), Type.Null()]) }),
  }),
  'container.rename': route({
    id: 'container.rename',
    summary: 'Give a container another name',
    params: ContainerParams,
    body: closed({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
    reply: 'json',
    result: ContainerId,
  }),
  'container.update': route({
    id: 'container.update',
    summary:
      'Change the limits of a container, its restart policy, its labels, its environment at the next start',
    params: ContainerParams,
    body: UpdateBody,
    reply: 'json',
    result: ContainerId,
  }),
  'container.top': route({
    id: 'container.top',
    summary: 'The processes of a container, read from /proc; with arguments for ps(1), as its table too',
    params: ContainerParams,
    query: closed({
      /** Words for the host's ps; its columns must have PID. */
      ps: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), { maxItems: 100 })),
    }),
    reply: 'json',
    result: closed({
      processes: Type.Array(
        closed({
          /** On the daemon's machine. */
          pid: Type.Integer(),
          parentPid: Type.Integer(),
          uid: Type.Integer(),
          user: Type.String(),
          startedAt: Timestamp,
          cpuSeconds: Type.Number(),
          residentBytes: Type.Integer(),
          terminal: Type.String(),
          command: Type.String(),
        }),
      ),
      /** What ps printed of them. */
      table: Type.Optional(
        closed({ titles: Type.Array(Type.String()), rows: Type.Array(Type.Array(Type.String())) }),
      ),
    }),
  }),
  'container.ports': route({
    id: 'container.ports',
    summary: 'The published ports of a container; with ?who=true, by which addresses they are reached',
    params: ContainerParams,
    query: closed({ who: flag }),
    reply: 'json',
    result: Type.Array(Port),
  }),
  'container.logs': route({
    id: 'container.logs',
    summary: 'What the container wrote, as frames of stdout and stderr',
    params: ContainerParams,
    query: closed({
      follow: flag,
      stdout: flag,
      stderr: flag,
      timestamps: flag,
      /** The container's labels before each line, `key=value,key=value `. */
      details: flag,
      /** Lines from the end; absent means all. */
      tail: Type.Optional(Type.Integer({ minimum: 0 })),
      since: Type.Optional(Timestamp),
      until: Type.Optional(Timestamp),
    }),
    reply: 'frames',
  }),
  'container.attach': route({
    id: 'container.attach',
    summary: 'Join the streams of a running container',
    params: ContainerParams,
    body: closed({ stdin: flag, output: flag, size: Type.Optional(Size) }),
    reply: 'upgrade',
  }),
  'container.exec': route({
    id: 'container.exec',
    summary: 'Run another process in a running container, attached',
    params: ContainerParams,
    body: ExecBody,
    reply: 'upgrade',
  }),
  'container.exec-detached': route({
    id: 'container.exec-detached',
    summary: 'Run another process in a running container, in the background',
    params: ContainerParams,
    body: ExecBody,
    reply: 'json',
    result: closed({ pid: Type.Integer() }),
  }),
}
