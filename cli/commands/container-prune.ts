/** `kago container prune`: removes the containers that do not run. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { containerSection, pruneOptions, runPrune } from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: pruneOptions,
  async run({ client, options, name }) {
    const { filter } = options
    const plan = await call(client, 'container.prune', { body: { dryRun: true, filter } })
    const only = plan.map(({ id }) => id)
    return await runPrune(
      {
        name,
        plan,
        sections: (containers) => [containerSection(containers)],
        act: () => call(client, 'container.prune', { body: { filter, only } }),
      },
      options,
    )
  },
})
