/** Where the server listens: a unix socket that root and one group may use. */
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { KagoError } from '../../shared/errors.ts'

/** Connections that wait to be accepted; the kernel caps it at net.core.somaxconn. */
const backlog = 4096

/**
 * Listens on `path`, 0660. The socket of an earlier daemon is replaced: the caller holds the lock that says there is
 * none. A group that does not exist leaves the socket to root alone.
 */
export async function listenOnSocket(app: FastifyInstance, path: string, group: string): Promise<void> {
  rmSync(path, { force: true })
  const mask = process.umask(0o177)
  try {
    await app.listen({ path, backlog })
  } catch (error) {
    throw new KagoError(
      'unavailable',
      `cannot listen on ${path}: ${error instanceof Error ? error.message : ''}`,
      {
        hint: 'a socket path has at most 107 bytes and its directory must be writable',
        cause: error,
      },
    )
  } finally {
    process.umask(mask)
  }
  const gid = groupId(group)
  if (gid !== undefined) chownSync(path, 0, gid)
  chmodSync(path, 0o660)
}

function groupId(name: string): number | undefined {
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [entry, , gid] = line.split(':')
    if (entry === name && gid !== undefined) return Number(gid)
  }
  return undefined
}
