/** Network namespaces: made and entered by the daemon's own thread within one turn of its loop, kept by an open file. */
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { changeLink, listLinks } from './links.ts'
import { openRouting, type RouteSocket } from './netlink.ts'
import { enterNetwork, unshareNetwork } from './syscalls.ts'

/**
 * A network namespace. It lives as long as a process in it, or this. `path` works for other programs as long as this
 * is open: no mount holds the namespace, so none can be left behind.
 */
export interface Namespace {
  readonly fd: number
  readonly path: string
  readonly routing: RouteSocket
  /** The number that the first link has that is made in it; of new ones only. */
  readonly firstLink: number | undefined
  close(): void
}

let own: number | undefined

/** A new one, with its loopback up. Half a millisecond. */
export async function makeNamespace(): Promise<Namespace> {
  const namespace = within(
    () => {
      unshareNetwork()
    },
    () => {
      for (const [key, value] of quietDefaults) writeQuietly(`/proc/sys/net/ipv6/conf/default/${key}`, value)
    },
  )
  try {
    await namespace.routing.send([changeLink('lo', { isUp: true })])
    // The kernel numbers links one after the other; some make tunnels in every new namespace.
    const last = Math.max(...listLinks(namespace.routing).map(({ index }) => index))
    return { ...namespace, firstLink: last + 1 }
  } catch (error) {
    namespace.close()
    throw error
  }
}

/** The namespace of a process. */
export function namespaceOf(pid: number): Namespace {
  let fd: number
  try {
    fd = openSync(`/proc/${pid}/ns/net`, 'r')
  } catch (error) {
    throw new KagoError('not_found', `process ${pid} has ended`, { cause: error })
  }
  try {
    return within(() => {
      enterNetwork(fd)
    })
  } finally {
    closeSync(fd)
  }
}

/** Links take addresses from kago only, and at once. */
const quietDefaults = [
  ['accept_ra', '0'],
  ['accept_dad', '0'],
  ['router_solicitations', '0'],
] as const

/** Opens what is needed inside the namespace that `enter` leads to, and is back before anything else can happen. */
function within(enter: () => void, inside?: () => void): Namespace {
  own ??= openSync('/proc/thread-self/ns/net', 'r')
  try {
    enter()
  } catch (error) {
    throw new KagoError('permission_denied', 'may not make or enter network namespaces', {
      hint: 'kagod needs CAP_SYS_ADMIN; run containers with --network none',
      cause: error,
    })
  }
  let fd: number | undefined
  try {
    inside?.()
    fd = openSync('/proc/thread-self/ns/net', 'r')
    return namespaceFrom(fd, openRouting())
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    throw error
  } finally {
    enterNetwork(own)
  }
}

function namespaceFrom(fd: number, routing: RouteSocket): Namespace {
  let isOpen = true
  return {
    fd,
    routing,
    firstLink: undefined,
    path: `/proc/${process.pid}/fd/${fd}`,
    close() {
      if (!isOpen) return
      isOpen = false
      routing.close()
      closeSync(fd)
    },
  }
}

/** Where the kernel has no IPv6, there is nothing to set. */
function writeQuietly(path: string, value: string): void {
  try {
    writeFileSync(path, value)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
