/** `kago system prune`: removes what nothing needs. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { containerSection, imageSection, pruneOptions, runPrune } from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    ...pruneOptions,
    all: flag('All images that no container needs, not just those without a name', { short: 'a' }),
  },
  async run({ client, options, name }) {
    const { all, filter } = options
    const plan = await call(client, 'system.prune', { body: { dryRun: true, all, filter } })
    const only = { containers: plan.containers.map(({ id }) => id), images: plan.images.map(({ id }) => id) }
    return await runPrune(
      {
        name,
        plan,
        sections: ({ containers, images }) => [containerSection(containers), imageSection(images, all)],
        act: () => call(client, 'system.prune', { body: { all, filter, only } }),
      },
      options,
    )
  },
})
