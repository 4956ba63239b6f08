/** Signals by name, as people write them: `SIGTERM`, `term`, `15`. */
import { constants } from 'node:os'
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'

/** The name without SIG, or a real-time signal's number. @throws invalid_argument */
export function normalizeSignal(text: string): string {
  const name = text.toUpperCase().replace(/^SIG/, '')
  if (Object.hasOwn(constants.signals, `SIG${name}`)) return name
  if (/^RT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)$/.test(name)) return name
  const number = /^\d{1,2}$/.test(name) ? Number(name) : 0
  if (number >= 1 && number <= 64) return String(number)
  const known = Object.keys(constants.signals).map((key) => key.slice(3))
  const guess = nearest(name, known)
  throw new KagoError('invalid_argument', `no such signal: ${text}`, {
    hint: guess === undefined ? 'signals are named like TERM, or by number' : `did you mean ${guess}?`,
  })
}
