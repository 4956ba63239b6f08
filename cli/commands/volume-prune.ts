/** `kago volume prune`: removes volumes that no container mounts. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { pruneOptions, runPrune, volumeSection } from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: { ...pruneOptions, all: flag('Those with a name, too', { short: 'a' }) },
  async run({ client, options, name }) {
    const { all, filter } = options
    const plan = await call(client, 'volume.prune', { body: { dryRun: true, all, filter } })
    const only = plan.map((volume) => volume.name)
    return await runPrune(
      {
        name,
        plan,
        sections: (volumes) => [volumeSection(volumes, all)],
        act: () => call(client, 'volume.prune', { body: { all, filter, only } }),
      },
      options,
    )
  },
})
