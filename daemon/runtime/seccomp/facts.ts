/** What a seccomp profile's conditions ask about. */

export interface FilterFacts {
  /** The capabilities that the container holds (CAP_…). */
  capabilities: readonly string[]
  /** Node's name for the processor. */
  architecture: string
  /** As `6.1`. */
  kernelVersion: string
  /** Also filter for the processor's 32-bit programs. Without it those are killed at their first call. */
  with32Bit: boolean
}

/** `version` begins with major.minor; what does not is older than everything. */
export function isKernelAtLeast(version: string, major: number, minor: number): boolean {
  const [, ownMajor, ownMinor] = /^(\d+)\.(\d+)/.exec(version) ?? ['', '0', '0']
  const difference = Number(ownMajor) - major || Number(ownMinor) - minor
  return difference >= 0
}
