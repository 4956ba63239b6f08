/** The published ports of a container: taken when it starts, changed while it runs, told to those who ask. */
import type { Port, PublishedPort } from '../../shared/protocol/containers.ts'
import { isPortOf } from '../network/ports.ts'
import { publishPorts, unpublishPorts } from '../network/publish.ts'
import type { PortRow } from '../state/ports.ts'
import type { Operation } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { isSamePort, readExposed } from './port-options.ts'
import { isAlive } from './lifecycle.ts'
import { type Container, readContainer } from './record.ts'

export async function publishForStart(
  context: ContainerContext,
  operation: Operation,
  { id, name, record }: Container,
): Promise<void> {
  const { publish } = record.options
  if (publish.length === 0) return
  const address = context.network.endpoints.ofContainer(id)[0]?.ipv4 ?? 'ADDRESS'
  await operation.step(
    'publish ports',
    {
      by: 'bind(2), nfnetlink',
      shell: publish.map((port) => shellOf(context, address, port)).join(' && '),
      undo: ['network.unpublish', id],
    },
    async () => {
      const rows = await publishPorts(context.network, id, publish)
      if (rows.length === 0) {
        context.log.warn(
          { container: id, name },
          'its ports are not published: none of its networks leads out',
        )
      }
    },
  )
}

/** The same by hand, for all IPv4 addresses of the host. */
function shellOf({ config }: ContainerContext, address: string, port: PublishedPort): string {
  const { protocol, hostPort = 'PORT', containerPort } = port
  const element = `${protocol} . ${hostPort} : ${address} . ${containerPort}`
  return `nft add element inet ${config.firewallTable} ports4_everywhere '{ ${element} }'`
}

/** Takes and gives back ports of a container that runs; what it publishes at its next start is the caller's. */
export async function changePorts(
  context: ContainerContext,
  id: string,
  { add, remove }: { add: readonly PublishedPort[]; remove: readonly PublishedPort[] },
): Promise<void> {
  if (remove.length > 0) {
    await unpublishPorts(context.network, id, (row) => remove.some((port) => isPortOf(row, port)))
  }
  if (add.length > 0) await publishPorts(context.network, id, add)
}

/** A change of ports that was not recorded is no change. Ports of any number may get another one by it. */
export async function setRecordedPorts(context: ContainerContext, id: string): Promise<void> {
  const row = context.containers.find(id)
  if (row === undefined || !isAlive(row.state)) return
  const { publish } = readContainer(row).record.options
  const live = context.network.ports.ofContainer(id)
  const isRecorded = (one: PortRow) => publish.some((port) => isSamePublishing(one, port))
  await unpublishPorts(context.network, id, (one) => !isRecorded(one))
  const missing = publish.filter((port) => !live.some((one) => isSamePublishing(one, port)))
  await publishPorts(context.network, id, missing)
}

function isSamePublishing(row: PortRow, { hostPort, hostPortEnd, ...port }: PublishedPort): boolean {
  const isInside =
    hostPort === undefined || (row.hostPort >= hostPort && row.hostPort <= (hostPortEnd ?? hostPort))
  return isInside && isPortOf(row, port)
}

/** Published now, and those that are only exposed. */
export function describePorts({ record }: Container, rows: readonly PortRow[]): Port[] {
  const open = rows.map(({ containerPort, protocol, hostAddress, hostPort }) => ({
    containerPort,
    protocol,
    hostAddress,
    hostPort,
  }))
  const exposed = record.options.expose
    .map(readExposed)
    .filter((port) => !rows.some((row) => isSamePort(row, port)))
  return [...open, ...exposed].toSorted((a, b) => a.containerPort - b.containerPort)
}
