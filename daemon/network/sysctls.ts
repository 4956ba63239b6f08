/** Settings of the host's kernel without which networks do not work. All of them are named in docs/networks.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

/**
 * Lets the machine pass packets on, as Docker does too; it stays so. With IPv6 forwarding the kernel no longer heeds
 * router advertisements, by which the machine itself may have its address: so interfaces that did heed them go on.
 */
export function allowForwarding(hasIpv6: boolean): void {
  setSysctl('/proc/sys/net/ipv4/ip_forward', '1')
  if (!hasIpv6 || readSysctl('/proc/sys/net/ipv6/conf/all/forwarding') !== '0') return
  for (const name of interfaces()) {
    const path = `/proc/sys/net/ipv6/conf/${name}/accept_ra`
    if (readSysctl(path) === '1') setSysctl(path, '2')
  }
  setSysctl('/proc/sys/net/ipv6/conf/all/forwarding', '1')
}

const neighbours = { gc_thresh2: 8192, gc_thresh3: 16_384 }

/**
 * The kernel knows 1024 neighbours at a time, of all namespaces together: too few for thirty-three containers that
 * all speak with each other, whose packets would then be lost now and then. Room is made, never taken.
 */
export function allowNeighbours(hasIpv6: boolean): void {
  for (const family of hasIpv6 ? ['ipv4', 'ipv6'] : ['ipv4']) {
    for (const [name, wanted] of Object.entries(neighbours)) {
      const path = `/proc/sys/net/${family}/neigh/default/${name}`
      const now = Number(readSysctl(path) ?? wanted)
      if (now < wanted) setSysctl(path, String(wanted))
    }
  }
}

function interfaces(): string[] {
  return [...readFileSync('/proc/net/dev', 'utf8').matchAll(/^\s*([^\s:]+):/gm)].map(([, name = '']) => name)
}

/** Undefined where the kernel does not have it: IPv6 may be switched off. */
function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Written only if it is different. */
export function setSysctl(path: string, value: string): void {
  if (readSysctl(path) === value) return
  try {
    writeFileSync(path, value)
  } catch (error) {
    const name = path.replace('/proc/sys/', '').replaceAll('/', '.')
    throw new KagoError('unavailable', `cannot set the sysctl ${name} to ${value}`, {
      hint: `set it on the host: sysctl -w ${name}=${value}`,
      cause: error,
    })
  }
}
