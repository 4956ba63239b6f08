/**
 * What a person may ask of a container's process, as the protocol's create body says it: plain JSON, not yet checked
 * against the image or the machine. `buildSpec` turns it into a bundle's config.json.
 */

export interface RunOptions {
  /** Words after the image name; absent takes the image's Cmd. */
  command?: string[]
  /** Replaces the image's Entrypoint, and then the image's Cmd is not used; `['']` means no entrypoint at all. */
  entrypoint?: string[]
  /** `NAME=value`; a bare `NAME` removes what the image sets. */
  env: string[]
  workingDir?: string
  /** `name|uid[:group|gid]`. It is resolved by `resolveUser` before `buildSpec`. */
  user?: string
  groupAdd: string[]
  hostname?: string
  readOnly: boolean
  tmpfs: TmpfsOption[]
  mounts: MountOption[]
  /** Names with or without CAP_, in any case, or ALL. */
  capAdd: string[]
  capDrop: string[]
  privileged: boolean
  securityOpt: SecurityOptions
  resources: ResourceOptions
  devices: DeviceOption[]
  ulimits: UlimitOption[]
  sysctls: Record<string, string>
  /** Size of /dev/shm; absent is 64 MiB. */
  shmSizeBytes?: number
  /** Put kago-init in front as pid 1: it forwards signals and reaps. */
  init: boolean
  terminal: boolean
  stdin: boolean
  /** What it was asked for by: `SpecInput.networkMode` is what becomes of it. */
  network: string
  /** -1000 to 1000. */
  oomScoreAdj?: number
  /** `host:address`, for /etc/hosts. */
  extraHosts: string[]
  /** For /etc/resolv.conf. */
  dns: string[]
  dnsSearch?: string[]
  dnsOptions?: string[]
}

/** `options` as mount(8) takes them, comma separated: `size=64m,mode=1777`. Empty is allowed. */
export interface TmpfsOption {
  target: string
  options: string
}

export interface MountOption {
  type: 'bind' | 'tmpfs' | 'volume'
  /** An absolute path on the host; not for a tmpfs. */
  source?: string
  target: string
  readOnly?: boolean
  /** `rprivate` if absent. */
  propagation?: 'private' | 'rprivate' | 'slave' | 'rslave' | 'shared' | 'rshared'
  /** `enabled` if absent: see the protocol. */
  recursive?: 'enabled' | 'disabled' | 'writable' | 'readonly'
  /** Only for a tmpfs. */
  sizeBytes?: number
  /** Permission bits of a tmpfs's root directory. */
  mode?: number
}

export interface SecurityOptions {
  noNewPrivileges?: boolean
  /** `unconfined`, or a profile in Docker's JSON form, already parsed. Absent is kago's default profile. */
  seccomp?: 'unconfined' | Record<string, unknown>
  apparmor?: string
}

export interface ResourceOptions {
  memoryBytes?: number
  /** Memory and swap together; -1 is no limit on swap. Absent, with a memory limit: twice that. */
  memorySwapBytes?: number
  /** Billionths of a processor: 1.5 CPUs are 1_500_000_000. */
  nanoCpus?: number
  cpuShares?: number
  /** As `0-2,4`. */
  cpusetCpus?: string
  /** -1 or 0 is no limit. */
  pidsLimit?: number
  /** 10 to 1000. */
  blkioWeight?: number
}

export interface DeviceOption {
  hostPath: string
  containerPath: string
  /** A set of r, w and m. */
  permissions: string
}

/** `name` without RLIMIT_, in lower case, as `nofile`; -1 is no limit. */
export interface UlimitOption {
  name: string
  soft: number
  hard: number
}

/** The options of a container for which nothing was asked. */
export const defaultRunOptions: RunOptions = {
  env: [],
  groupAdd: [],
  readOnly: false,
  tmpfs: [],
  mounts: [],
  capAdd: [],
  capDrop: [],
  privileged: false,
  securityOpt: {},
  resources: {},
  devices: [],
  ulimits: [],
  sysctls: {},
  init: false,
  terminal: false,
  stdin: false,
  network: 'bridge',
  extraHosts: [],
  dns: [],
}
