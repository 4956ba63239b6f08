/** The steps that put a container into its networks when it starts. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { connectLinks, type Joined, leaseEndpoints, takeNamespace } from '../network/attach.ts'
import { ensureDefaultNetwork } from '../network/create.ts'
import { findNetwork } from '../network/find.ts'
import { planEndpoint } from '../network/members.ts'
import { defaultNetworkName, hostInterfaceOf } from '../network/records.ts'
import type { Operation } from '../operation/operation.ts'
import type { SpecInput } from '../runtime/spec.ts'
import { announce } from './announce.ts'
import { allDone } from './all-done.ts'
import { allCleanedUp, cleanedUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { sharedContainer } from './plan-networks.ts'
import { publishForStart } from './publish.ts'
import type { Container } from './record.ts'

export interface JoiningNetworks {
  mode: SpecInput['networkMode']
  /** Makes the links, which nothing before the process needs. */
  connected(): Promise<void>
}

export async function joinNetworks(
  context: ContainerContext,
  operation: Operation,
  container: Container,
): Promise<JoiningNetworks> {
  const { id, record } = container
  const { network } = record.options
  if (network === 'none' || network === 'host') return { mode: network, connected: async () => {} }
  const other = sharedContainer(network)
  if (other !== undefined)
    return { mode: namespaceOfOther(context, container, other), connected: async () => {} }

  await settleHolders(context, id)
  const undo = ['network.detach', id] as const
  const joined = await operation.step('lease addresses', { by: 'kago.db', undo }, () => {
    rejoin(context, container)
    return leaseWhenSettled(context, id)
  })
  const about = { by: 'unshare(2)', shell: `ip netns add ${id.slice(0, 12)}` }
  const namespace = await operation.step('take a network namespace', about, () =>
    takeNamespace(context.network, id),
  )
  return {
    mode: { path: namespace.path },
    async connected() {
      const names = joined.map((one) => one.network.name).join(', ')
      const linked = operation.step(
        joined.length === 0 ? 'connect to no network' : `connect to ${names}`,
        { by: 'rtnetlink(7)', shell: joined.map((one) => shellOf(id, one)).join(' && ') },
        () => connectLinks(context.network, namespace, joined),
      )
      await allDone([publishForStart(context, operation, container), linked])
      announce(context, container)
    },
  }
}

/** Where no address is left, some may be held by containers that have ended a moment ago. */
async function leaseWhenSettled(context: ContainerContext, id: string): Promise<Joined[]> {
  try {
    return leaseEndpoints(context.network, id)
  } catch (error) {
    if (!isKagoError(error, 'exhausted') || context.cleanUps.size === 0) throw error
    await allCleanedUp(context)
    return leaseEndpoints(context.network, id)
  }
}

/** What holds a container's wanted addresses may be a container that has ended a moment ago. */
async function settleHolders(context: ContainerContext, id: string): Promise<void> {
  const { endpoints } = context.network
  for (const { networkId, wantedIpv4, wantedIpv6, wantedMac } of endpoints.ofContainer(id)) {
    const holders = [
      wantedIpv4 === null ? undefined : endpoints.holderOf(networkId, wantedIpv4),
      wantedIpv6 === null ? undefined : endpoints.holderOf(networkId, wantedIpv6),
      wantedMac === null ? undefined : endpoints.holderOfMac(networkId, wantedMac),
    ]
    for (const holder of holders) if (holder !== undefined) await cleanedUp(context, holder.containerId)
  }
}

/** The network that the container was created in may have been removed and made again meanwhile. */
function rejoin({ network: context }: ContainerContext, { id, record }: Container): void {
  if (context.endpoints.ofContainer(id).length > 0 || record.isDisconnected === true) return
  const { network: name, ipv4Address, ipv6Address, macAddress, networkAliases } = record.options
  const network = name === defaultNetworkName ? ensureDefaultNetwork(context) : findNetwork(context, name)
  const options = { ipv4Address, ipv6Address, macAddress, aliases: networkAliases }
  context.endpoints.insert([planEndpoint(id, network, 0, options)], 'quick')
}

function namespaceOfOther(context: ContainerContext, { name }: Container, otherId: string): { path: string } {
  const other = findContainer(context, otherId)
  if (other.pid !== null && (other.state === 'running' || other.state === 'paused')) {
    return { path: `/proc/${other.pid}/ns/net` }
  }
  throw new KagoError(
    'wrong_state',
    `container ${name} shares the network of ${other.name}, which does not run`,
    {
      hint: `start that one first: kago start ${other.name}`,
    },
  )
}

function shellOf(id: string, { network, endpoint }: Joined): string {
  const namespace = id.slice(0, 12)
  const inside = endpoint.interface ?? 'eth0'
  const outside = hostInterfaceOf(id, network.id)
  const within = `ip -n ${namespace}`
  const addresses = network.subnets.flatMap(({ subnet, gateway }) => {
    const address = subnet.includes(':') ? endpoint.ipv6 : endpoint.ipv4
    if (address === null) return []
    const add = `${within} address add ${address}/${subnet.split('/')[1] ?? ''} dev ${inside}`
    return network.isInternal ? [add] : [add, `${within} route add default via ${gateway}`]
  })
  const [first, ...more] = addresses
  return [
    `ip link add ${outside} master ${network.bridge} type veth peer name ${inside} netns ${namespace} address ${endpoint.mac ?? ''}`,
    `ip link set ${outside} up`,
    `${within} link set lo up`,
    `${within} link set ${inside} up`,
    ...(first === undefined ? [] : [first, ...more]),
  ].join(' && ')
}
