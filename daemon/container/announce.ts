/** Tells the name server what a container is called, and where it is now. */
import { announceContainer } from '../network/name-service.ts'
import type { ContainerContext } from './context.ts'
import { isAlive } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'

export function announce({ network }: Pick<ContainerContext, 'network'>, container: Container): void {
  const { id, name, record } = container
  announceContainer(network, { id, name, hostname: record.hostname, dns: record.options.dns })
}

/** All that run, when the daemon starts. */
export function announceAll(context: ContainerContext): void {
  for (const row of context.containers.list()) {
    if (isAlive(row.state)) announce(context, readContainer(row))
  }
}
