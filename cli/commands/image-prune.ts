/** `kago image prune`: removes the images that no container needs. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { imageSection, pruneOptions, runPrune } from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: { ...pruneOptions, all: flag('Those with a name too', { short: 'a' }) },
  async run({ client, options, name }) {
    const { all, filter } = options
    const plan = await call(client, 'image.prune', { body: { dryRun: true, all, filter } })
    const only = plan.map(({ id }) => id)
    return await runPrune(
      {
        name,
        plan,
        sections: (images) => [imageSection(images, all)],
        act: () => call(client, 'image.prune', { body: { all, filter, only } }),
      },
      options,
    )
  },
})
