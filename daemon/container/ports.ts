/** The published ports of a container, and by which addresses of the host they are reached. */
import { networkInterfaces } from 'node:os'
import type { Port } from '../../shared/protocol/containers.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { describePorts } from './publish.ts'

export function listPorts(
  context: ContainerContext,
  text: string,
  { who = false }: { who?: boolean | undefined } = {},
): Port[] {
  const container = findContainer(context, text)
  const ports = describePorts(container, context.network.ports.ofContainer(container.id))
  if (!who) return ports
  const addresses = hostAddresses(context)
  return ports.map((port) =>
    port.hostPort === undefined ? port : { ...port, reachable: reach(port, addresses) },
  )
}

type Reach = NonNullable<Port['reachable']>[number]

function hostAddresses({ network }: ContainerContext): Reach[] {
  const bridges = new Set(network.networks.list().map(({ bridge }) => bridge))
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      // What is of one link only needs that link's name to be reached.
      .filter(({ address }) => !address.startsWith('fe80:'))
      .map(({ address, internal }): Reach => {
        const by = internal ? 'machine' : bridges.has(name) ? 'containers' : 'network'
        return { address, interface: name, by }
      }),
  )
}

function reach({ hostAddress = '' }: Port, addresses: readonly Reach[]): Reach[] {
  const isIpv6 = hostAddress.includes(':')
  const isAll = hostAddress === '0.0.0.0' || hostAddress === '::'
  return addresses.filter(({ address }) =>
    isAll ? address.includes(':') === isIpv6 : address === hostAddress,
  )
}
