/** An option's value that is one of a few words. */
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'

/** @throws invalid_argument naming the words, and the one that was meant. */
export function oneOf<const T extends string>(
  option: string,
  value: string | undefined,
  known: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const found = known.find((one) => one === value)
  if (found !== undefined) return found
  const meant = nearest(value, known)
  throw new KagoError(
    'invalid_argument',
    `${option} is one of ${known.join(', ')}, not ${JSON.stringify(value)}`,
    {
      hint: meant === undefined ? undefined : `did you mean ${meant}?`,
    },
  )
}
