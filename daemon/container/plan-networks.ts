/** What a request says of networks, looked up: which one the new container is in, with what, or whose it shares. */
import { KagoError } from '../../shared/errors.ts'
import type { CreateBody } from '../../shared/protocol/containers.ts'
import { ensureDefaultNetwork } from '../network/create.ts'
import { findNetwork } from '../network/find.ts'
import { planEndpoint } from '../network/members.ts'
import { defaultNetworkName } from '../network/records.ts'
import type { EndpointRow } from '../state/networks.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'

export interface PlannedNetworks {
  /** What becomes of the request's options. */
  network: Pick<CreateBody, 'network' | 'hostname'>
  memberships: EndpointRow[]
}

/** The id of the container whose network is shared. */
export function sharedContainer(network: string): string | undefined {
  return network.startsWith('container:') ? network.slice('container:'.length) : undefined
}

/** @throws not_found, invalid_argument */
export function planNetworks(context: ContainerContext, id: string, body: CreateBody): PlannedNetworks {
  const asked = body.network ?? defaultNetworkName
  if (asked === 'none' || asked === 'host') {
    refuse(body, asked, ['networkAliases', 'ipv4Address', 'ipv6Address', 'macAddress'])
    return { network: { network: asked }, memberships: [] }
  }
  const other = sharedContainer(asked)
  if (other !== undefined) {
    refuse(body, asked, notShared)
    const target = findContainer(context, other)
    return {
      network: { network: `container:${target.id}`, hostname: target.record.hostname },
      memberships: [],
    }
  }
  const isDefault = asked === defaultNetworkName || asked === 'default'
  const network = isDefault ? ensureDefaultNetwork(context.network) : findNetwork(context.network, asked)
  if (isDefault && (body.networkAliases?.length ?? 0) > 0) {
    throw new KagoError('invalid_argument', `network ${network.name} has no names, and so no aliases`, {
      hint: 'make a network of your own: kago network create NAME',
    })
  }
  const memberships = [planEndpoint(id, network, 0, { ...body, aliases: body.networkAliases })]
  return { network: { network: network.name, ...hostname(body) }, memberships }
}

function hostname({ hostname: name }: CreateBody): { hostname?: string } {
  return name === undefined ? {} : { hostname: name }
}

const optionNames = {
  networkAliases: '--network-alias',
  ipv4Address: '--ip',
  ipv6Address: '--ip6',
  macAddress: '--mac-address',
  hostname: '--hostname',
  dns: '--dns',
  dnsSearch: '--dns-search',
  dnsOptions: '--dns-option',
  extraHosts: '--add-host',
} as const satisfies Partial<Record<keyof CreateBody, string>>

/** What the other container has, and this one with it. */
const notShared = Object.keys(optionNames) as (keyof typeof optionNames)[]

function refuse(body: CreateBody, network: string, keys: readonly (keyof typeof optionNames)[]): void {
  const given = keys.find((key) => {
    const value = body[key]
    return Array.isArray(value) ? value.length > 0 : value !== undefined
  })
  if (given === undefined) return
  throw new KagoError('invalid_argument', `${optionNames[given]} has no meaning with --network ${network}`, {
    hint: `leave out ${optionNames[given]}, or choose a network that the container is in by itself`,
  })
}
