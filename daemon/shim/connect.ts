/** Connects to a unix socket of kago's own, however long its path is. */
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { KagoError } from '../../shared/errors.ts'

/** sun_path has 108 bytes, the last of them zero. */
const longestSocketPath = 107

/** @throws unavailable if nobody listens there, cancelled */
export async function connectSocket(path: string, signal?: AbortSignal): Promise<Socket> {
  if (signal?.aborted) throw new KagoError('cancelled', 'cancelled')
  if (Buffer.byteLength(path) <= longestSocketPath) return await openSocket(path, path, signal)
  const directory = await open(dirname(path), 'r').catch((cause: unknown) => {
    throw new KagoError('unavailable', `no shim answers on ${path}`, { cause })
  })
  try {
    return await openSocket(`/proc/self/fd/${directory.fd}/${basename(path)}`, path, signal)
  } finally {
    await directory.close()
  }
}

async function openSocket(address: string, path: string, signal: AbortSignal | undefined): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ path: address })
  const abort = () => {
    socket.destroy()
    reject(new KagoError('cancelled', 'cancelled'))
  }
  const fail = (cause: unknown) =>
    reject(new KagoError('unavailable', `no shim answers on ${path}`, { cause }))
  signal?.addEventListener('abort', abort, { once: true })
  socket.once('error', fail)
  // Whoever gets it may listen only later: a reset in between must not end the daemon.
  socket.on('error', () => socket.destroy())
  socket.once('connect', () => resolve(socket))
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', abort)
    socket.off('error', fail)
  }
}
