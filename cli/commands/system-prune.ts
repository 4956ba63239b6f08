/** `kago system prune`: removes what nothing needs. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import {
  containerSection,
  imageSection,
  networkSection,
  pruneOptions,
  runPrune,
  volumeSection,
} from './prune-view.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    ...pruneOptions,
    all: flag('All images that no container needs, not just those without a name', { short: 'a' }),
    volumes: flag('Volumes without a name, too'),
  },
  async run({ client, options, name }) {
    const { all, filter, volumes } = options
    const plan = await call(client, 'system.prune', { body: { dryRun: true, all, filter, volumes } })
    const only = {
      containers: plan.containers.map(({ id }) => id),
      networks: plan.networks.map(({ id }) => id),
      images: plan.images.map(({ id }) => id),
      volumes: plan.volumes.map((volume) => volume.name),
    }
    return await runPrune(
      {
        name,
        plan,
        sections: (answer) => [
          containerSection(answer.containers),
          networkSection(answer.networks),
          imageSection(answer.images, all),
          volumeSection(answer.volumes, false),
        ],
        act: () => call(client, 'system.prune', { body: { all, filter, volumes, only } }),
      },
      options,
    )
  },
})
