/** `kago network prune`: removes the networks that no container is in. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { networkSection, pruneOptions, runPrune } from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: pruneOptions,
  async run({ client, options, name }) {
    const { filter } = options
    const plan = await call(client, 'network.prune', { body: { dryRun: true, filter } })
    const only = plan.map(({ id }) => id)
    return await runPrune(
      {
        name,
        plan,
        sections: (networks) => [networkSection(networks)],
        act: () => call(client, 'network.prune', { body: { filter, only } }),
      },
      options,
    )
  },
})
