/** Publishes ports of containers: takes them on the host, leads them to the container, and gives them back. */
import { KagoError } from '../../shared/errors.ts'
import type { PublishedPort } from '../../shared/protocol/containers.ts'
import { findPortUser } from '../host/port-user.ts'
import type { PortRow } from '../state/ports.ts'
import { forgetConnections } from './conntrack.ts'
import type { NetworkContext } from './context.ts'
import type { FirewallPort } from './firewall.ts'
import { holdPort } from './hold-port.ts'
import type { HeldPort, LivePort } from './live-port.ts'
import {
  collide,
  type ContainerAddresses,
  hostAddressesOf,
  leadOf,
  publishingAddresses,
  targetOf,
} from './ports.ts'
import { readEndpoint, readNetwork } from './records.ts'

const attempts = 20

/** All of them or none. @throws in_use naming who has a port, invalid_argument for an address that is not the host's. */
export async function publishPorts(
  context: NetworkContext,
  containerId: string,
  ports: readonly PublishedPort[],
): Promise<PortRow[]> {
  const addresses = addressesOf(context, containerId)
  if (addresses.ipv4 === null && addresses.ipv6 === null) return []
  const taken: LivePort[] = []
  try {
    for (const port of ports) taken.push(...(await takePort(context, containerId, port, addresses)))
    context.ports.insert(taken.map(({ row }) => row))
    const live = context.memory.ports.get(containerId) ?? []
    context.memory.ports.set(containerId, [...live, ...taken])
    await context.firewall.add(leadsOf(taken))
  } catch (error) {
    await giveBack(context, containerId, taken)
    throw error
  }
  return taken.map(({ row }) => row)
}

/** All ports of a container, or some. Open connections by them end; those by others do not. */
export async function unpublishPorts(
  context: NetworkContext,
  containerId: string,
  isMeant: (row: PortRow) => boolean = () => true,
): Promise<PortRow[]> {
  const live = context.memory.ports.get(containerId) ?? []
  const going = live.filter(({ row }) => isMeant(row))
  if (going.length > 0) await giveBack(context, containerId, going)
  // What a daemon that is gone has written down.
  const rows = context.ports.ofContainer(containerId).filter(isMeant)
  if (rows.length > 0) context.ports.remove(rows)
  return going.map(({ row }) => row)
}

/** After the container has joined or left a network: its ports lead to where it is now. */
export async function leadPortsAnew(context: NetworkContext, containerId: string): Promise<void> {
  const live = context.memory.ports.get(containerId) ?? []
  if (live.length === 0) return
  const addresses = addressesOf(context, containerId)
  const before = leadsOf(live)
  for (const port of live) port.addresses = addresses
  await context.firewall.remove(before)
  await context.firewall.add(leadsOf(live))
}

/** What was published when the daemon ended is held again; what is of containers that have ended is forgotten. */
export async function restorePorts(
  context: NetworkContext,
  isRunning: (containerId: string) => boolean,
): Promise<void> {
  const rows = context.ports.list()
  context.ports.remove(rows.filter(({ containerId }) => !isRunning(containerId)))
  for (const [id, members] of Map.groupBy(rows, ({ containerId }) => containerId)) {
    if (!isRunning(id)) continue
    const addresses = addressesOf(context, id)
    const live: LivePort[] = []
    for (const row of members) {
      const port: LivePort = { row, held: undefined, addresses }
      live.push(port)
      try {
        if (row.protocol !== 'sctp') port.held = await hold(port, row.protocol, row.hostPort)
      } catch (error) {
        context.log.warn(
          { err: error, container: id, port: row.hostPort },
          'a published port is taken by another',
        )
      }
    }
    context.memory.ports.set(id, live)
    await context.firewall.add(leadsOf(live))
  }
}

/** Of the networks that the container is attached to now. */
function addressesOf(context: NetworkContext, containerId: string): ContainerAddresses {
  return publishingAddresses(
    context.endpoints.ofContainer(containerId).flatMap((row) => {
      const network = context.networks.find(row.networkId)
      return network === undefined ? [] : [{ network: readNetwork(network), endpoint: readEndpoint(row) }]
    }),
  )
}

function leadsOf(ports: readonly LivePort[]): FirewallPort[] {
  return ports.flatMap(({ row, addresses }) => leadOf(row, addresses) ?? [])
}

async function giveBack(
  context: NetworkContext,
  containerId: string,
  going: readonly LivePort[],
): Promise<void> {
  const rest = (context.memory.ports.get(containerId) ?? []).filter((port) => !going.includes(port))
  if (rest.length === 0) context.memory.ports.delete(containerId)
  else context.memory.ports.set(containerId, rest)
  const leads = leadsOf(going)
  await context.firewall.remove(leads)
  if (context.firewall.problem() === undefined) for (const lead of leads) forgetConnections(lead)
  await closeAll(going)
  context.ports.remove(going.map(({ row }) => row))
}

async function closeAll(ports: readonly LivePort[]): Promise<void> {
  await Promise.all(ports.flatMap(({ held }) => held?.close() ?? []))
}

/** One port, at all its addresses under the same number. */
async function takePort(
  context: NetworkContext,
  containerId: string,
  port: PublishedPort,
  addresses: ContainerAddresses,
): Promise<LivePort[]> {
  const first = port.hostPort ?? 0
  const last = port.hostPortEnd ?? first
  const isFree = first !== last || first === 0
  for (let number = first, attempt = 0; ; number += first === 0 ? 0 : 1, attempt++) {
    try {
      return await takeNumber(context, containerId, port, number, addresses)
    } catch (error) {
      const isTaken = codeOf(error) === 'EADDRINUSE'
      if (isTaken && isFree && (first === 0 ? attempt < attempts : number < last)) continue
      throw explain(context, port, number, error)
    }
  }
}

async function takeNumber(
  context: NetworkContext,
  containerId: string,
  port: PublishedPort,
  wanted: number,
  addresses: ContainerAddresses,
): Promise<LivePort[]> {
  const { containerPort, protocol } = port
  const taken: LivePort[] = []
  let hostPort = wanted
  try {
    for (const hostAddress of hostAddressesOf(port, context.config.publishAddress)) {
      const row: PortRow = { containerId, hostAddress, hostPort, protocol, containerPort }
      const live: LivePort = { row, held: undefined, addresses }
      if (protocol === 'sctp') {
        refuseTaken(context, row)
      } else {
        try {
          live.held = await hold(live, protocol, hostPort)
        } catch (error) {
          // The host has no IPv6, and nobody has asked for it.
          if (taken.length > 0 && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error))) continue
          throw error
        }
        hostPort = live.held.hostPort
        row.hostPort = hostPort
      }
      taken.push(live)
    }
  } catch (error) {
    await closeAll(taken)
    throw error
  }
  return taken
}

function hold(port: LivePort, protocol: 'tcp' | 'udp', hostPort: number): Promise<HeldPort> {
  const { hostAddress } = port.row
  return holdPort({ hostAddress, hostPort, protocol, target: () => targetOf(port.row, port.addresses) })
}

function refuseTaken(context: NetworkContext, row: PortRow): void {
  if (row.hostPort === 0) {
    throw new KagoError('invalid_argument', 'a port of SCTP needs a number on the host', {
      hint: `write it: -p ${row.containerPort}:${row.containerPort}/sctp`,
    })
  }
  if (context.ports.ofNumber(row.protocol, row.hostPort).some((other) => collide(row, other))) {
    throw Object.assign(new Error('taken'), { code: 'EADDRINUSE' })
  }
}

function explain(context: NetworkContext, port: PublishedPort, number: number, error: unknown): unknown {
  const { protocol } = port
  const places = hostAddressesOf(port, context.config.publishAddress)
  const [place = ''] = places
  const where = places.length > 1 ? '' : ` at ${place}`
  switch (codeOf(error)) {
    case 'EADDRINUSE': {
      const holder = holderOf(context, port, number)
      const range = port.hostPortEnd === undefined ? `${number}` : `${port.hostPort}-${port.hostPortEnd}`
      return new KagoError('in_use', `port ${range}/${protocol}${where} is used by ${holder.what}`, {
        hint: `choose another: -p ${number === 0 ? 8080 : number + 1}:${port.containerPort}`,
        details: { port: number, protocol, ...holder.details },
        cause: error,
      })
    }
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new KagoError('invalid_argument', `this machine does not have the address ${place}`, {
        hint: 'see which it has: ip address; publish at all of them by leaving it out',
        cause: error,
      })
    case 'EACCES':
    case 'EPERM':
      return new KagoError('permission_denied', `kagod may not use port ${number}/${protocol}`, {
        cause: error,
      })
    case 'EMFILE':
    case 'ENFILE':
      return new KagoError('exhausted', `kagod has no descriptor left for port ${number}/${protocol}`, {
        cause: error,
      })
    default:
      return error
  }
}

function holderOf(
  context: NetworkContext,
  port: PublishedPort,
  number: number,
): { what: string; details: Record<string, string | number> } {
  const { protocol } = port
  const wanted = hostAddressesOf(port, context.config.publishAddress).map((hostAddress) => ({
    hostAddress,
    hostPort: number,
    protocol,
  }))
  const rows = [
    ...context.ports.ofNumber(protocol, number),
    ...[...context.memory.ports.values()].flat().map(({ row }) => row),
  ]
  const other = rows.find((row) => wanted.some((one) => collide(row, one)))
  if (other !== undefined) {
    const name = context.containers.find(other.containerId)?.name ?? other.containerId.slice(0, 12)
    return { what: `container ${name}`, details: { container: other.containerId } }
  }
  const user = protocol === 'sctp' ? undefined : findPortUser(protocol, number)
  if (user === undefined) return { what: 'another process', details: {} }
  if (user.pid === process.pid) return { what: 'another port of this container', details: {} }
  return { what: `${user.name} (pid ${user.pid})`, details: { pid: user.pid, process: user.name } }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
