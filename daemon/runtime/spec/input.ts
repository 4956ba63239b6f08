/** What `buildSpec` needs to know; everything that has to be looked up was looked up before. */
import type { LinuxDevice } from '../../../shared/oci/runtime-spec.ts'
import type { HostFacts } from '../../host/features.ts'
import type { RunOptions } from '../run-options.ts'

export type { HostFacts } from '../../host/features.ts'

export interface SpecInput {
  /** The container's id; its first twelve characters are the default hostname. */
  id: string
  imageConfig: SpecImageConfig
  options: RunOptions
  /** From `resolveUser`. `home` becomes HOME unless the environment sets it. */
  user: { uid: number; gid: number; additionalGids: number[]; home?: string }
  host: HostFacts
  /** A path (`/run/kago/netns/…`) joins that network namespace; `none` makes a new, empty one. */
  networkMode: 'none' | 'host' | { path: string }
  /** Host paths bound to /etc/hosts, /etc/hostname and /etc/resolv.conf; an absent one is not bound. */
  etcFiles: { hosts?: string; hostname?: string; resolvConf?: string }
  /** Absolute, from the root of each cgroup hierarchy, as `/kago/<id>`. */
  cgroupsPath: string
  /** From `resolveDevices` (for --device) or `listHostDevices` (for --privileged). */
  devices?: SpecDevice[]
  /** Host path of the static kago-init; needed when options.init is true. */
  initPath?: string
}

export interface SpecDevice extends LinuxDevice {
  /** What the container may do with it: a set of r, w, m. */
  access: string
}

/** The execution parameters of an OCI image config, in its own spelling. */
export interface SpecImageConfig {
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  WorkingDir?: string
  User?: string
  /** OCI name of the image's architecture, as `386`. */
  architecture?: string
}
