/** Containers in words, as Docker's users know them. Pure. */
import type { ContainerSummary } from '../../shared/protocol/containers.ts'
import { formatAge } from '../../shared/units.ts'

const healthWords = {
  starting: ' (health: starting)',
  healthy: ' (healthy)',
  unhealthy: ' (unhealthy)',
  none: '',
} as const

/** `Up 3 seconds`, `Exited (0) 2 hours ago`, `Created`. */
export function describeStatus(task: ContainerSummary['task'], now: number): string {
  const since = (moment: string | null) => formatAge(moment === null ? 0 : now - Date.parse(moment))
  switch (task.state) {
    case 'created':
      return 'Created'
    case 'starting':
      return 'Starting'
    case 'running':
      return `Up ${since(task.startedAt)}${healthWords[task.health ?? 'none']}`
    case 'paused':
      return `Up ${since(task.startedAt)} (Paused)`
    case 'stopping':
      return `Up ${since(task.startedAt)} (Stopping)`
    case 'restarting':
      return `Restarting (${task.exitStatus ?? 'unknown'}) ${since(task.finishedAt)} ago`
    case 'exited':
      return `Exited (${task.exitStatus ?? 'unknown'}) ${since(task.finishedAt)} ago`
    case 'lost':
      return `Lost${task.finishedAt === null ? '' : ` ${since(task.finishedAt)} ago`}`
    case 'removing':
      return 'Removal In Progress'
    default:
      return task.state satisfies never
  }
}

type Ports = ContainerSummary['ports']

/** `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp`; what follows each other is a range: `8000-8002->9000-9002/tcp`. */
export function describePorts(ports: Ports): string {
  const order = (a: Ports[number], b: Ports[number]) =>
    a.protocol.localeCompare(b.protocol) ||
    placeOf(a).localeCompare(placeOf(b)) ||
    a.containerPort - b.containerPort
  const runs: { first: Ports[number]; last: Ports[number] }[] = []
  for (const port of ports.toSorted(order)) {
    const run = runs.at(-1)
    if (run !== undefined && follows(run.last, port)) run.last = port
    else runs.push({ first: port, last: port })
  }
  return runs
    .map(({ first, last }) => {
      const inside = `${range(first.containerPort, last.containerPort)}/${first.protocol}`
      if (first.hostPort === undefined) return inside
      return `${describeAddress(first.hostAddress)}:${range(first.hostPort, last.hostPort ?? 0)}->${inside}`
    })
    .join(', ')
}

/** IPv4 before IPv6, and last what is only exposed. */
function placeOf({ hostAddress }: Ports[number]): string {
  return hostAddress === undefined ? 'z' : `${hostAddress.includes(':') ? 'b' : 'a'}${hostAddress}`
}

export function describeAddress(address = '0.0.0.0'): string {
  return address.includes(':') ? `[${address}]` : address
}

function follows(last: Ports[number], port: Ports[number]): boolean {
  const isNextHost =
    last.hostPort === undefined ? port.hostPort === undefined : port.hostPort === last.hostPort + 1
  const isSamePlace = last.protocol === port.protocol && last.hostAddress === port.hostAddress
  return isSamePlace && isNextHost && port.containerPort === last.containerPort + 1
}

function range(first: number, last: number): string {
  return first === last ? `${first}` : `${first}-${last}`
}
