/** Opens the connection of one request and says in words why it cannot be had. */
import { connect, type Socket } from 'node:net'
import { KagoError } from '../../shared/errors.ts'
import type { Address } from './address.ts'

/** Opens a connection. Whoever gets it destroys it. */
export function openConnection(address: Address): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: address.socketPath, allowHalfOpen: false })
    const failed = (error: Error) => reject(explainConnect(error, address))
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      resolve(socket)
    })
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function explainConnect(error: Error, { socketPath }: Address): KagoError {
  const code = codeOf(error)
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such socket',
    ECONNREFUSED: 'nobody listens on it',
    ENOTSOCK: 'it is not a socket',
    ENAMETOOLONG: 'the path is too long for a socket',
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new KagoError('permission_denied', `you may not use the daemon's socket ${socketPath}`, {
      hint: 'be root, or join the group kago (sudo usermod -aG kago "$USER") and log in again',
      cause: error,
    })
  }
  return new KagoError(
    'unavailable',
    `cannot reach kagod at ${socketPath}: ${reasons[code] ?? error.message}`,
    {
      hint: 'is kagod running? start it with: sudo systemctl start kagod',
      cause: error,
    },
  )
}

/** A connection that broke while it was used, as an error of the table. */
export function explainBroken(error: unknown, { socketPath }: Address): KagoError {
  if (error instanceof KagoError) return error
  const reason =
    { ECONNRESET: '', EPIPE: '' }[codeOf(error)] ?? (error instanceof Error ? `: ${error.message}` : '')
  return new KagoError('unavailable', `kagod closed the connection at ${socketPath}${reason}`, {
    hint: 'see what it says: journalctl -u kagod',
    cause: error,
  })
}
