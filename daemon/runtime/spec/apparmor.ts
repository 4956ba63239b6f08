/** Which AppArmor profile confines the container. */
import { KagoError } from '../../../shared/errors.ts'
import type { RunOptions } from '../run-options.ts'
import type { HostFacts } from './input.ts'

/** The profile's name, or nothing: kago loads no profile of its own, so only a named one is used. */
export function apparmorProfile(options: RunOptions, host: HostFacts): string | undefined {
  const asked = options.securityOpt.apparmor
  if (options.privileged || asked === undefined || asked === 'unconfined') return undefined
  if (!host.apparmorEnabled) {
    throw new KagoError(
      'not_supported',
      `apparmor profile ${asked} cannot be applied: this kernel has no AppArmor`,
      {
        hint: 'leave out --security-opt apparmor=…',
      },
    )
  }
  return asked
}
