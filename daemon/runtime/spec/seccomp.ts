/** Which system calls the container may make: the filter for its options, capabilities, kernel and processor. */
import type { Seccomp } from '../../../shared/oci/runtime-spec.ts'
import { convertDockerProfile } from '../seccomp/docker-format.ts'
import { defaultFilter } from '../seccomp/default-filter.ts'
import type { SpecInput } from './input.ts'

/** Nothing when privileged, when `unconfined` was asked for, or when the kernel has no seccomp. */
export function seccompFilter(input: SpecInput, held: string[]): Seccomp | undefined {
  const { options, host, imageConfig } = input
  const asked = options.securityOpt.seccomp
  if (asked === 'unconfined' || !host.seccompSupported) return undefined
  if (options.privileged && asked === undefined) return undefined
  const facts = {
    capabilities: held,
    architecture: host.architecture,
    kernelVersion: host.kernelVersion,
    with32Bit: imageConfig.architecture === '386' || imageConfig.architecture === 'arm',
  }
  return asked === undefined ? defaultFilter(facts) : convertDockerProfile(asked, facts)
}
