/** The network routes: each calls the verb of its name. */
import { connectContainer } from '../../container/connect.ts'
import type { ContainerContext } from '../../container/context.ts'
import { disconnectContainer } from '../../container/disconnect.ts'
import { createNetwork } from '../../network/create.ts'
import { inspectNetwork, listNetworks } from '../../network/describe.ts'
import { pruneNetworks } from '../../network/prune.ts'
import { removeNetwork } from '../../network/remove.ts'
import type { Handlers } from '../route-table.ts'

type NetworkHandlers = Pick<Handlers, Extract<keyof Handlers, `network.${string}`>>

export function networkHandlers(context: ContainerContext): NetworkHandlers {
  const named = ({ id, name }: { id: string; name: string }) => ({ id, name })
  const { network } = context
  return {
    'network.create': async ({ body }) => named(await createNetwork(network, body)),
    'network.list': ({ query }) => listNetworks(network, query.filter),
    'network.inspect': ({ params }) => inspectNetwork(network, params.network),
    'network.remove': async ({ params }) => named(await removeNetwork(network, params.network)),
    'network.prune': ({ body }) => pruneNetworks(network, body),
    'network.connect': ({ params, body }) => connectContainer(context, params.network, body.container, body),
    'network.disconnect': ({ params, body }) =>
      disconnectContainer(context, params.network, body.container, body),
  }
}
