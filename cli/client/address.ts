/** Where the daemon listens: `-H`, then `KAGO_HOST`, then the default socket. */
import { KagoError } from '../../shared/errors.ts'

export const defaultSocket = '/run/kago/kagod.sock'

/** The path of a unix socket. */
export interface Address {
  readonly socketPath: string
}

/**
 * Reads `unix:///path`, or a path alone.
 * @throws invalid_argument, or not_supported for an address of a kind that is not there yet.
 */
export function parseHost(host: string | undefined): Address {
  if (host === undefined || host === '') return { socketPath: defaultSocket }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(host)?.[1]?.toLowerCase()
  const path = scheme === undefined ? host : host.slice(scheme.length + 3)
  if (scheme !== undefined && scheme !== 'unix') {
    throw new KagoError('not_supported', `kago does not speak ${scheme}:// yet: ${host}`, {
      hint: `name a socket: -H unix://${defaultSocket}`,
    })
  }
  if (!path.startsWith('/') && !/^[a-z]:[\\/]/i.test(path)) {
    throw new KagoError('invalid_argument', `not an address of a daemon: ${host}`, {
      hint: `write it so: -H unix://${defaultSocket}`,
    })
  }
  return { socketPath: path }
}
