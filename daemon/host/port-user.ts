/** Which process has a port of the host, for the error that says so. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

export interface PortUser {
  pid: number
  name: string
}

const listening = '0A'

/** Undefined if none is found: it has gone again, or is in another container's namespace. */
export function findPortUser(protocol: 'tcp' | 'udp', port: number): PortUser | undefined {
  const inodes = new Set([protocol, `${protocol}6`].flatMap((file) => inodesAt(file, protocol, port)))
  if (inodes.size === 0) return undefined
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode === undefined || !inodes.has(inode)) continue
      return { pid: Number(pid), name: nameOf(pid) }
    }
  }
  return undefined
}

/** Lines of /proc/net/tcp: number, local address and port in hexadecimal, remote ones, state, …; the tenth is the inode. */
function inodesAt(file: string, protocol: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return textOf(`/proc/net/${file}`)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = '', , state]) => local.endsWith(wanted) && (protocol === 'udp' || state === listening),
    )
    .flatMap((fields) => fields[9] ?? [])
}

/** Programs of Node are all called MainThread. */
function nameOf(pid: string): string {
  const name = textOf(`/proc/${pid}/comm`).trim()
  return name === 'MainThread' ? basename(textOf(`/proc/${pid}/cmdline`).split('\0')[0] ?? name) : name
}

/** Processes end while one looks: what is gone is nobody's. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
