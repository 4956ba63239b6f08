/** What the scripts of the unshare runtime are made from. */
import type { RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'
import type { CgroupLayout } from '../../host/cgroup.ts'

/** What of the machine the scripts name; found once. */
export interface ScriptHost {
  layout: CgroupLayout
  /**
   * Absolute, static, with a shell that has its own mount, umount, mkdir, …: with it the scripts start few programs,
   * and go on when the root has no program any more.
   */
  busybox: string
  /** Absolute paths of util-linux's: busybox has lesser ones of the same names. */
  mount: string
  unshare: string
  nsenter: string
  setpriv: string
  prlimit: string
  /** Mounts of the host that hold the shell and busybox: made read-only for this container (CVE-2019-5736). */
  programMounts: string[]
}

export interface ScriptInput {
  id: string
  bundle: string
  spec: RuntimeSpec
  host: ScriptHost
}
