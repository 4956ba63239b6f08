/** kago's default profile as the OCI spec's seccomp section, for one container's capabilities, kernel and processor. */
import type { Seccomp, SeccompSyscall } from '../../../shared/oci/runtime-spec.ts'
import { filterArchitectures } from './architectures.ts'
import {
  allowed32BitCalls,
  allowedCalls,
  namespaceCloneFlags,
  personalities,
  type SyscallGroup,
  socketFamilies,
} from './default-profile.ts'
import { type FilterFacts, isKernelAtLeast } from './facts.ts'

const eperm = 1
const enosys = 38

export function defaultFilter(facts: FilterFacts): Seccomp {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: filterArchitectures(facts),
    syscalls: [
      { names: allowedNames(facts), action: 'SCMP_ACT_ALLOW' },
      ...socketRules(),
      ...personalities.map((value) => allowWhen('personality', 0, value, 'SCMP_CMP_EQ')),
      ...cloneRules(facts),
    ],
  }
}

/** One list without duplicates: the runtime's time goes with the number of rules it has to compile. */
function allowedNames(facts: FilterFacts): string[] {
  const names = new Set<string>()
  for (const group of allowedCalls) {
    if (applies(group, facts)) for (const name of words(group.names)) names.add(name)
  }
  if (facts.with32Bit) for (const name of words(allowed32BitCalls)) names.add(name)
  return [...names].sort()
}

function applies(group: SyscallGroup, facts: FilterFacts): boolean {
  const { capabilities, architectures, kernel } = group
  return (
    (capabilities === undefined || capabilities.some((name) => facts.capabilities.includes(name))) &&
    (architectures === undefined || architectures.includes(facts.architecture)) &&
    (kernel === undefined || isKernelAtLeast(facts.kernelVersion, kernel[0], kernel[1]))
  )
}

function socketRules(): SeccompSyscall[] {
  return [
    allowWhen('socket', 0, socketFamilies.below, 'SCMP_CMP_LT'),
    ...socketFamilies.also.map((family) => allowWhen('socket', 0, family, 'SCMP_CMP_EQ')),
  ]
}

/** clone3 hides its flags in memory, where no filter sees them: ENOSYS makes libc fall back to clone. */
function cloneRules(facts: FilterFacts): SeccompSyscall[] {
  if (facts.capabilities.includes('CAP_SYS_ADMIN')) return []
  const flagsIndex = facts.architecture === 's390x' ? 1 : 0
  return [
    allowWhen('clone', flagsIndex, namespaceCloneFlags, 'SCMP_CMP_MASKED_EQ'),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
  ]
}

function allowWhen(name: string, index: number, value: number, op: string): SeccompSyscall {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index, value, op }] }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
