/** The place where tests break things: before or after any step of any operation, the daemon dies or the step fails. */
import { KagoError } from '../../shared/errors.ts'

export interface Faults {
  before(kind: string, step: string): void | Promise<void>
  after(kind: string, step: string): void | Promise<void>
}

export const noFaults: Faults = { before: () => {}, after: () => {} }

/**
 * Reads a plan like `container.start/write the bundle/before/crash`; the steps' names are those `kago explain` prints.
 * The last word is `crash` (SIGKILL to the daemon itself) or an errno (`ENOSPC`, `EIO`, `EMFILE`), which the step then
 * fails with. `*` stands for any kind or step. Undefined gives no faults.
 * @throws invalid_argument for a plan that is not of this form.
 */
export function parseFaults(plan: string | undefined): Faults {
  if (plan === undefined || plan === '') return noFaults
  const [kind, step, when, what, ...rest] = plan.split('/')
  if (!kind || !step || (when !== 'before' && when !== 'after') || !what || rest.length > 0) {
    throw new KagoError('invalid_argument', `not a fault: ${plan}`, {
      hint: 'a fault is KIND/STEP/before|after/crash|ERRNO',
    })
  }
  const strike = (atKind: string, atStep: string) => {
    if ((kind !== '*' && kind !== atKind) || (step !== '*' && step !== atStep)) return
    if (what === 'crash') process.kill(process.pid, 'SIGKILL')
    throw new KagoError('exhausted', `${what} in step ${atStep} (a fault that was asked for)`, {
      details: { errno: what },
    })
  }
  return { before: when === 'before' ? strike : () => {}, after: when === 'after' ? strike : () => {} }
}
