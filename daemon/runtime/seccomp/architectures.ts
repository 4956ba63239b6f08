/** The names that libseccomp, OCI profiles and Docker profiles give to a processor. */
import { KagoError } from '../../../shared/errors.ts'
import type { FilterFacts } from './facts.ts'

interface Architecture {
  native: string
  /** Its 32-bit programs. x32 is not among them: no distribution uses it, and it has been a way around filters. */
  compatible: string[]
  /** Go's name, which Docker's profiles use in includes and excludes. */
  docker: string
}

const architectures: Record<string, Architecture> = {
  x64: { native: 'SCMP_ARCH_X86_64', compatible: ['SCMP_ARCH_X86'], docker: 'amd64' },
  arm64: { native: 'SCMP_ARCH_AARCH64', compatible: ['SCMP_ARCH_ARM'], docker: 'arm64' },
  arm: { native: 'SCMP_ARCH_ARM', compatible: [], docker: 'arm' },
  ia32: { native: 'SCMP_ARCH_X86', compatible: [], docker: 'x86' },
  riscv64: { native: 'SCMP_ARCH_RISCV64', compatible: [], docker: 'riscv64' },
  loong64: { native: 'SCMP_ARCH_LOONGARCH64', compatible: [], docker: 'loong64' },
  ppc64: { native: 'SCMP_ARCH_PPC64LE', compatible: [], docker: 'ppc64le' },
  s390x: { native: 'SCMP_ARCH_S390X', compatible: ['SCMP_ARCH_S390'], docker: 's390x' },
}

/** For the OCI section: the native one, and the 32-bit ones if they are wanted, since each costs compile time. */
export function filterArchitectures(facts: FilterFacts): string[] {
  const { native, compatible } = architectureOf(facts)
  return facts.with32Bit ? [native, ...compatible] : [native]
}

export function architectureOf(facts: FilterFacts): Architecture {
  const known = architectures[facts.architecture]
  if (known) return known
  throw new KagoError('not_supported', `there is no seccomp filter for the processor ${facts.architecture}`, {
    hint: 'run without it: --security-opt seccomp=unconfined',
  })
}
