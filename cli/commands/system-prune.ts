/** `kago system prune`: removes what nothing needs. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { containerSection, imageSection, networkSection, pruneOptions, runPrune } from './prune-view.ts'

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
    const [containers, networks, images] = [plan.containers, plan.networks, plan.images].map((list) =>
      list.map(({ id }) => id),
    )
    const only = { containers: containers ?? [], networks: networks ?? [], images: images ?? [] }
    return await runPrune(
      {
        name,
        plan,
        sections: (answer) => [
          containerSection(answer.containers),
          networkSection(answer.networks),
          imageSection(answer.images, all),
        ],
        act: () => call(client, 'system.prune', { body: { all, filter, only } }),
      },
      options,
    )
  },
})
