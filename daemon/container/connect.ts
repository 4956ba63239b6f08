/** Puts a container into a network, running or not. */
import { KagoError } from '../../shared/errors.ts'
import type { NetworkEndpoint } from '../../shared/protocol/networks.ts'
import { identifyProcess } from '../host/process.ts'
import { type Namespace, namespaceOf } from '../host/netns.ts'
import { connectLink, defaultGateways, leaseEndpoints } from '../network/attach.ts'
import { describeEndpoint } from '../network/describe.ts'
import { updateEtcFiles } from '../network/etc-files.ts'
import { findNetwork } from '../network/find.ts'
import { leadPortsAnew } from '../network/publish.ts'
import { type EndpointOptions, freePosition, planEndpoint } from '../network/members.ts'
import { defaultNetworkName, type Network, readEndpoint } from '../network/records.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { announce } from './announce.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'
import { nameOptions } from './name-options.ts'
import { sharedContainer } from './plan-networks.ts'
import type { Container } from './record.ts'

/** Being in it already is success. */
export async function connectContainer(
  context: ContainerContext,
  networkText: string,
  containerText: string,
  options: EndpointOptions,
): Promise<NetworkEndpoint> {
  const { id } = findContainer(context, containerText)
  return await context.locks.hold(id, async () => {
    const container = findContainer(context, id)
    const network = findNetwork(context.network, networkText)
    refuseOthersNetwork(container)
    refuseAliases(network, options)
    if (context.network.endpoints.find(id, network.id) === undefined) {
      const about = { kind: 'network.connect', target: id }
      await operate(context, about, (operation) =>
        connectSteps(context, operation, container, network, options),
      )
      context.events.publish({
        type: 'network',
        action: 'connect',
        id: network.id,
        attributes: { name: network.name, container: id },
      })
    }
    const row = context.network.endpoints.find(id, network.id)
    if (row === undefined) throw new KagoError('unavailable', `${container.name} left ${network.name} again`)
    return describeEndpoint(context.network, readEndpoint(row))
  })
}

async function connectSteps(
  context: ContainerContext,
  operation: Operation,
  container: Container,
  network: Network,
  options: EndpointOptions,
): Promise<void> {
  const { id } = container
  const { endpoints } = context.network
  const namesBefore = nameOptions(context, container)
  await operation.step(
    'write down that it is in the network',
    { by: 'kago.db', undo: ['network.leave', id, network.id] },
    () => {
      const row = planEndpoint(id, network, freePosition(context.network, id), options)
      endpoints.insert([row], 'durable')
      if (container.record.isDisconnected === true) setDisconnected(context, container, false)
    },
  )
  if (!isAlive(container.state)) return
  await operation.step(`connect to ${network.name}`, { by: 'setns(2), rtnetlink(7)' }, async () => {
    await inNamespaceOf(container, async (namespace) => {
      const joined = leaseEndpoints(context.network, id)
      const one = joined.find((candidate) => candidate.network.id === network.id)
      const gateways = defaultGateways(joined.map((each) => each.network))
      if (one !== undefined) await connectLink(context.network, namespace, one, gateways)
    })
  })
  await leadPortsAnew(context.network, id)
  await tellNames(context, container, namesBefore)
}

/** Its names and files are as its networks are now. */
export async function tellNames(
  context: ContainerContext,
  container: Container,
  before: ReturnType<typeof nameOptions>,
): Promise<void> {
  announce(context, container)
  const directory = context.paths.container(container.id)
  await updateEtcFiles(directory, before, nameOptions(context, container))
}

export async function inNamespaceOf<T>(
  { name, pid, pidStart }: Container,
  work: (namespace: Namespace) => Promise<T>,
): Promise<T> {
  const gone = () => new KagoError('wrong_state', `container ${name} has just ended`, { hint: 'try again' })
  if (pid === null) throw gone()
  const namespace = namespaceOf(pid)
  try {
    // The number may have come to mean another process.
    if (identifyProcess(pid)?.startTime !== pidStart) throw gone()
    return await work(namespace)
  } finally {
    namespace.close()
  }
}

export function setDisconnected(
  context: ContainerContext,
  container: Container,
  isDisconnected: boolean,
): void {
  context.containers.updateRecord(container.id, JSON.stringify({ ...container.record, isDisconnected }))
}

function refuseAliases({ name }: Network, { aliases = [] }: EndpointOptions): void {
  if (name !== defaultNetworkName || aliases.length === 0) return
  throw new KagoError('invalid_argument', `network ${name} has no names, and so no aliases`, {
    hint: 'make a network of your own: kago network create NAME',
  })
}

export function refuseOthersNetwork({ name, record }: Container): void {
  const { network } = record.options
  if (network !== 'none' && network !== 'host' && sharedContainer(network) === undefined) return
  const whose =
    network === 'none'
      ? 'was made without a network'
      : network === 'host'
        ? 'is in the host’s'
        : 'shares another’s'
  throw new KagoError('not_supported', `container ${name} ${whose}, and can be in no other`, {
    hint: 'make it anew with --network NAME',
  })
}
