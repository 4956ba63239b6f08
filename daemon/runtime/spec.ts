/**
 * From what was asked, what the image says and what the machine offers to a bundle's config.json.
 * Pure: the same input gives the same spec, and nothing is read or written. Each decision has its file in spec/.
 */
import type { LinuxDevice, RuntimeSpec } from '../../shared/oci/runtime-spec.ts'
import { apparmorProfile } from './spec/apparmor.ts'
import { capabilitySets, heldCapabilities } from './spec/capabilities.ts'
import { deviceRules } from './spec/devices.ts'
import type { SpecDevice, SpecInput } from './spec/input.ts'
import { maskedPaths, readonlyPaths } from './spec/masked-paths.ts'
import { buildMounts } from './spec/mounts.ts'
import { containerHostname, namespaces } from './spec/namespaces.ts'
import { processArguments, processEnvironment, workingDirectory } from './spec/process.ts'
import { linuxResources } from './spec/resources.ts'
import { rlimits } from './spec/rlimits.ts'
import { seccompFilter } from './spec/seccomp.ts'
import { sysctls } from './spec/sysctl.ts'

export type { HostFacts, SpecDevice, SpecImageConfig, SpecInput } from './spec/input.ts'
export type { RunOptions } from './run-options.ts'

/**
 * The config.json for a container.
 * Throws `invalid_argument` for what can never work and `not_supported` for what this machine lacks,
 * each naming the option.
 */
export function buildSpec(input: SpecInput): RuntimeSpec {
  const { options, host } = input
  const held = heldCapabilities(options, host.capabilities)
  const apparmor = apparmorProfile(options, host)
  const limits = rlimits(options.ulimits)
  const seccomp = seccompFilter(input, held)
  const rules = sysctls(input)
  const propagation = rootPropagation(options.mounts)
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: options.terminal,
      user: {
        uid: input.user.uid,
        gid: input.user.gid,
        ...(input.user.additionalGids.length > 0 && { additionalGids: input.user.additionalGids }),
      },
      args: processArguments(input),
      env: processEnvironment(input),
      cwd: workingDirectory(input),
      capabilities: capabilitySets(held, input.user.uid),
      ...(limits.length > 0 && { rlimits: limits }),
      noNewPrivileges: options.securityOpt.noNewPrivileges ?? false,
      ...(apparmor !== undefined && { apparmorProfile: apparmor }),
      ...(options.oomScoreAdj !== undefined && { oomScoreAdj: options.oomScoreAdj }),
    },
    root: { path: 'rootfs', readonly: options.readOnly },
    hostname: containerHostname(input),
    mounts: buildMounts(input),
    linux: {
      namespaces: namespaces(input),
      cgroupsPath: input.cgroupsPath,
      resources: { devices: deviceRules(input), ...linuxResources(options.resources, host) },
      devices: nodes(input.devices ?? []),
      ...(Object.keys(rules).length > 0 && { sysctl: rules }),
      ...(seccomp !== undefined && { seccomp }),
      maskedPaths: maskedPaths(input),
      readonlyPaths: readonlyPaths(input),
      ...(propagation !== undefined && { rootfsPropagation: propagation }),
    },
  }
}

/** The nodes to make in /dev; what may be done with them is a rule of the device cgroup. */
function nodes(devices: SpecDevice[]): LinuxDevice[] {
  return devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    ...(fileMode !== undefined && { fileMode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  }))
}

/** A shared or slave bind needs a root mount that is at least as open, or the kernel cuts it off. */
function rootPropagation(mounts: SpecInput['options']['mounts']): string | undefined {
  const asked = mounts.map((mount) => mount.propagation ?? 'rprivate')
  if (asked.some((propagation) => propagation.endsWith('shared'))) return 'shared'
  if (asked.some((propagation) => propagation.endsWith('slave'))) return 'rslave'
  return undefined
}
