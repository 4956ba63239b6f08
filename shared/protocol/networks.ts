/** Networks: what one is made from, what is told of it, and the verbs. */
import { type Static, Type } from 'typebox'
import { closed, StringMap, Timestamp } from './common.ts'
import { PrunedNetwork } from './prune.ts'
import { route } from './route.ts'

const AddressText = Type.String({ minLength: 1, maxLength: 64 })

/** A network by name, id, or an id's unambiguous beginning. */
const NetworkParams = closed({
  network: Type.String({ minLength: 1, maxLength: 255, description: 'name, id, or the beginning of an id' }),
})

export const NetworkSubnet = closed({
  /** Its first address and the length of its prefix: `10.5.0.0/16`. */
  subnet: AddressText,
  /** The host's own address in it; the first that can be one, unless told. */
  gateway: Type.Optional(AddressText),
  /** Containers get addresses of this part only. */
  ipRange: Type.Optional(AddressText),
})
export type NetworkSubnet = Static<typeof NetworkSubnet>

export const NetworkCreateBody = closed({
  name: Type.String({ minLength: 1, maxLength: 255 }),
  /** At most one per family. Without an IPv4 one, kago finds one that is free. */
  subnets: Type.Optional(Type.Array(NetworkSubnet, { maxItems: 16 })),
  /** Find an IPv6 subnet too. */
  ipv6: Type.Optional(Type.Boolean()),
  /** No way out of it. */
  internal: Type.Optional(Type.Boolean()),
  labels: Type.Optional(StringMap),
  /** `mtu`, `bridge` (the interface's name), and Docker's names for them. */
  options: Type.Optional(StringMap),
})
export type NetworkCreateBody = Static<typeof NetworkCreateBody>

/** A container's place in a network. Addresses are null while it does not run. */
export const NetworkEndpoint = closed({
  containerId: Type.String(),
  containerName: Type.String(),
  interface: Type.Union([Type.String(), Type.Null()]),
  ipv4Address: Type.Union([Type.String(), Type.Null()]),
  ipv6Address: Type.Union([Type.String(), Type.Null()]),
  macAddress: Type.Union([Type.String(), Type.Null()]),
  aliases: Type.Array(Type.String()),
})
export type NetworkEndpoint = Static<typeof NetworkEndpoint>

const summary = {
  id: Type.String(),
  name: Type.String(),
  createdAt: Timestamp,
  /** The interface on the host. */
  bridge: Type.String(),
  internal: Type.Boolean(),
  ipv6: Type.Boolean(),
  /** Null for that of the host's default route. */
  mtu: Type.Union([Type.Integer(), Type.Null()]),
  subnets: Type.Array(
    closed({ subnet: Type.String(), gateway: Type.String(), ipRange: Type.Optional(Type.String()) }),
  ),
  labels: StringMap,
  options: StringMap,
}

export const NetworkSummary = closed({
  ...summary,
  /** How many containers are in it, running or not. */
  containers: Type.Integer(),
})
export type NetworkSummary = Static<typeof NetworkSummary>

export const NetworkDetails = closed({ ...summary, containers: Type.Array(NetworkEndpoint) })
export type NetworkDetails = Static<typeof NetworkDetails>

const NetworkId = closed({ id: Type.String(), name: Type.String() })

export const networkRoutes = {
  'network.create': route({
    id: 'network.create',
    summary: 'Make a network',
    body: NetworkCreateBody,
    reply: 'json',
    result: NetworkId,
  }),
  'network.list': route({
    id: 'network.list',
    summary: 'List networks, by name',
    query: closed({
      /** `key=value`, as Docker's: id, name, label, driver, dangling, type. */
      filter: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
    }),
    reply: 'json',
    result: Type.Array(NetworkSummary),
  }),
  'network.inspect': route({
    id: 'network.inspect',
    summary: 'Everything that is known of a network, and who is in it',
    params: NetworkParams,
    reply: 'json',
    result: NetworkDetails,
  }),
  'network.remove': route({
    id: 'network.remove',
    summary: 'Remove a network that no running container is in',
    params: NetworkParams,
    reply: 'json',
    result: NetworkId,
  }),
  'network.prune': route({
    id: 'network.prune',
    summary: 'Remove the networks that no container is in',
    body: closed({
      /** Only say which would go. */
      dryRun: Type.Optional(Type.Boolean()),
      /** `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`. */
      filter: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
      /** Ids of a plan that somebody has seen. */
      only: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100_000 })),
    }),
    reply: 'json',
    result: Type.Array(PrunedNetwork),
  }),
  'network.connect': route({
    id: 'network.connect',
    summary: 'Put a container into a network, running or not',
    params: NetworkParams,
    body: closed({
      container: Type.String({ minLength: 1, maxLength: 255 }),
      aliases: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
      ipv4Address: Type.Optional(AddressText),
      ipv6Address: Type.Optional(AddressText),
      macAddress: Type.Optional(AddressText),
    }),
    reply: 'json',
    result: NetworkEndpoint,
  }),
  'network.disconnect': route({
    id: 'network.disconnect',
    summary: 'Take a container out of a network, running or not',
    params: NetworkParams,
    body: closed({
      container: Type.String({ minLength: 1, maxLength: 255 }),
      /** A container that is gone, or not in it, is success. */
      force: Type.Optional(Type.Boolean()),
    }),
    reply: 'json',
    result: NetworkId,
  }),
}
