/** How a failure is told and which exit code it gives. */
import { errorTable, type KagoError, toKagoError } from '../shared/errors.ts'
import { escapeControl, escapeLine } from './terminal/escape.ts'

/**
 * `kago: message`, and what to do next on a line of its own, both harmless to a terminal.
 */
export function describeError(error: unknown): string {
  const known = toKagoError(error)
  const lines = [`kago: ${escapeLine(known.message)}`]
  if (known.hint !== undefined) lines.push(`  ${escapeLine(known.hint)}`)
  if (known.operation !== undefined)
    lines.push(`  what was done: kago explain ${escapeLine(known.operation)}`)
  if (known.code === 'internal' && known.cause instanceof Error && process.env['KAGO_DEBUG'] !== undefined) {
    lines.push(escapeControl(known.cause.stack ?? ''))
  }
  return `${lines.join('\n')}\n`
}

/**
 * The exit code of a command that failed. Where a container's own code is the exit code (`failureExit` is given),
 * kago's failures are told apart from it: 125, or the 126 and 127 that the daemon names.
 */
export function exitCodeOf(error: unknown, failureExit?: number): number {
  const known: KagoError = toKagoError(error)
  const named = known.details?.['exitCode']
  if (failureExit !== undefined) {
    if (typeof named === 'number' && Number.isInteger(named) && named > 0 && named < 256) return named
    return known.code === 'cancelled' ? errorTable.cancelled.exit : failureExit
  }
  return errorTable[known.code].exit
}
