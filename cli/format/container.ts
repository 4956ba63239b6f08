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

/** `0.0.0.0:8080->80/tcp, 443/tcp`. */
export function describePorts(ports: ContainerSummary['ports']): string {
  return ports
    .map(({ containerPort, protocol, hostAddress, hostPort }) => {
      const inside = `${containerPort}/${protocol}`
      return hostPort === undefined ? inside : `${hostAddress ?? '0.0.0.0'}:${hostPort}->${inside}`
    })
    .join(', ')
}
