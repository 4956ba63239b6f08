/** The network routes: each calls the verb of its name. */
import { connectContainer } from '../../container/connect.ts'
import type { ContainerContext } from '../../container/context.ts'
import { disconnectContainer } from '../../container/disconnect.ts'
import { planNetworkPrune, pruneNetworks, removeSettledNetwork } from '../../container/prune-networks.ts'
import { createNetwork } from '../../network/create.ts'
import { inspectNetwork, listNetworks } from '../../network/describe.ts'
import type { Handlers } from '../route-table.ts'

type NetworkHandlers = Pick<Handlers, Extract<keyof Handlers, `network.${string}`>>

export function networkHandlers(context: ContainerContext): NetworkHandlers {
  const named = ({ id, name }: { id: string; name: string }) => ({ id, name })
  const { network } = context
  return {
    'network.create': async ({ body }) => named(await createNetwork(network, body)),
    'network.list': ({ query }) => listNetworks(network, query.filter),
    'network.inspect': ({ params }) => inspectNetwork(network, params.network),
    'network.remove': async ({ params }) => named(await removeSettledNetwork(context, params.network)),
    'network.prune': ({ body: { dryRun = false, ...body } }) =>
      dryRun ? planNetworkPrune(context, body) : pruneNetworks(context, body),
    'network.connect': ({ params, body }) => connectContainer(context, params.network, body.container, body),
    'network.disconnect': ({ params, body }) =>
      disconnectContainer(context, params.network, body.container, body),
  }
}
