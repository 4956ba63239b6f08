/** Waiting for something that cannot be interrupted itself. */
import { KagoError } from '../../shared/errors.ts'

/** What `flight` gives, or `cancelled` as soon as the signal fires; the flight itself goes on and is then ignored. */
export async function orAborted<T>(flight: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await flight
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => {
    reject(new KagoError('cancelled', 'cancelled'))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([flight, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    flight.catch(() => undefined)
  }
}
