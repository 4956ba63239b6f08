/** The place where tests break things: before or after any step of any operation, the daemon dies or the step fails. */
import { readFileSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

export interface Faults {
  before(kind: string, step: string): void | Promise<void>
  after(kind: string, step: string): void | Promise<void>
}

export const noFaults: Faults = { before: () => {}, after: () => {} }

/**
 * Faults as the file at `path` asks for them, read before and after each step so that a test can change its mind.
 * A plan is `KIND/STEP/WHEN/WHAT`: `container.start/write the bundle/before/crash`. The steps' names are those that
 * `kago explain` prints, WHEN is `before` or `after`, and WHAT is `crash` (SIGKILL to the daemon itself) or an errno
 * (`ENOSPC`, `EIO`, `EMFILE`), with which the step then fails. Without a path there are none.
 */
export function faultsFromFile(path: string | undefined): Faults {
  if (path === undefined) return noFaults
  return {
    before: (kind, step) => {
      strike(readPlan(path), kind, step, 'before')
    },
    after: (kind, step) => {
      strike(readPlan(path), kind, step, 'after')
    },
  }
}

interface Plan {
  kind: string
  step: string
  when: string
  what: string
}

/** Undefined for an empty file. @throws invalid_argument for a plan that is not one. */
export function parsePlan(text: string): Plan | undefined {
  if (text.trim() === '') return undefined
  const [kind, step, when, what, ...rest] = text.trim().split('/')
  if (kind && step && (when === 'before' || when === 'after') && what && rest.length === 0) {
    return { kind, step, when, what }
  }
  throw new KagoError('invalid_argument', `not a fault: ${text}`, {
    hint: 'a fault is KIND/STEP/before|after/crash|ERRNO',
  })
}

function readPlan(path: string): Plan | undefined {
  return parsePlan(readFileSync(path, 'utf8'))
}

function strike(plan: Plan | undefined, kind: string, step: string, when: string): void {
  if (plan?.kind !== kind || plan.step !== step || plan.when !== when) return
  if (plan.what === 'crash') process.kill(process.pid, 'SIGKILL')
  throw new KagoError('exhausted', `${plan.what} in step ${step} (a fault that was asked for)`, {
    details: { errno: plan.what },
  })
}
