/**
 * The shape of a bundle's config.json: the parts of the OCI runtime specification that kago writes and reads.
 * Names and units are the specification's (github.com/opencontainers/runtime-spec, version 1.0.2 and later);
 * a field that kago never sets is not here.
 */

export interface RuntimeSpec {
  ociVersion: string
  process: Process
  root: { path: string; readonly: boolean }
  hostname: string
  /** In the order in which they are mounted. */
  mounts: Mount[]
  annotations?: Record<string, string>
  linux: Linux
}

export interface Process {
  terminal: boolean
  consoleSize?: { width: number; height: number }
  user: ProcessUser
  args: string[]
  /** `NAME=value`; the runtime passes them on as they are. */
  env: string[]
  /** Absolute, inside the root. */
  cwd: string
  capabilities?: Capabilities
  rlimits?: Rlimit[]
  noNewPrivileges: boolean
  apparmorProfile?: string
  oomScoreAdj?: number
}

export interface ProcessUser {
  uid: number
  gid: number
  additionalGids?: number[]
  umask?: number
}

/** Capability names with their CAP_ prefix. An absent set is empty. */
export interface Capabilities {
  bounding?: string[]
  effective?: string[]
  inheritable?: string[]
  permitted?: string[]
  ambient?: string[]
}

/** `type` is the name of the constant, as `RLIMIT_NOFILE`. */
export interface Rlimit {
  type: string
  soft: number
  hard: number
}

/** As in mount(2) and mount(8): `options` are mount(8)'s words, a bind has `bind` or `rbind` among them. */
export interface Mount {
  destination: string
  type?: string
  source?: string
  options?: string[]
}

export interface Linux {
  namespaces: Namespace[]
  cgroupsPath?: string
  resources?: LinuxResources
  devices?: LinuxDevice[]
  sysctl?: Record<string, string>
  seccomp?: Seccomp
  maskedPaths?: string[]
  readonlyPaths?: string[]
  /** Propagation of the root mount: private, rprivate, slave, rslave, shared or rshared. */
  rootfsPropagation?: string
}

export type NamespaceType = 'pid' | 'mount' | 'ipc' | 'uts' | 'network' | 'cgroup' | 'user' | 'time'

/** Without `path` the runtime makes a new one; with it, the process joins that one. */
export interface Namespace {
  type: NamespaceType
  path?: string
}

export interface LinuxDevice {
  path: string
  type: 'c' | 'b' | 'u' | 'p'
  major: number
  minor: number
  /** Permission bits only. */
  fileMode?: number
  uid?: number
  gid?: number
}

/** One rule of the device cgroup. Without `type` all devices, without `major` or `minor` any number. */
export interface DeviceRule {
  allow: boolean
  type?: 'a' | 'b' | 'c'
  major?: number
  minor?: number
  /** A set of r (read), w (write), m (mknod). */
  access: string
}

export interface LinuxResources {
  devices?: DeviceRule[]
  memory?: {
    /** Bytes; -1 for no limit. */
    limit?: number
    /** Bytes of memory *and* swap together; -1 for no limit. */
    swap?: number
    reservation?: number
  }
  cpu?: {
    /** Relative weight, 2 to 262144; runtimes convert it for cgroup v2. */
    shares?: number
    /** Microseconds of CPU time in each period. */
    quota?: number
    /** Microseconds. */
    period?: number
    cpus?: string
    mems?: string
  }
  pids?: { limit: number }
  blockIO?: { weight?: number }
  /** Raw cgroup v2 files and what to write into them. */
  unified?: Record<string, string>
}

export interface Seccomp {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[]
  flags?: string[]
  syscalls?: SeccompSyscall[]
}

export interface SeccompSyscall {
  names: string[]
  action: string
  errnoRet?: number
  args?: SeccompArgument[]
}

export interface SeccompArgument {
  /** Which argument of the system call, from 0. */
  index: number
  value: number
  /** Second operand; with SCMP_CMP_MASKED_EQ the call passes when (argument & value) == valueTwo. */
  valueTwo?: number
  op: string
}
