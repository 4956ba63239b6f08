/** `kago network prune`: says which networks nobody is in, then removes them. */
import { KagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag, list } from '../options/spec.ts'
import { askLine } from '../terminal/prompt.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    'dry-run': flag('Only say which would go'),
    filter: list('KEY=VALUE', 'Only those with: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]'),
    force: flag('Do not ask', { short: 'f' }),
  },
  async run({ client, options }) {
    const filter = options.filter.length === 0 ? {} : { filter: options.filter }
    const plan = await call(client, 'network.prune', { body: { ...filter, dryRun: true } })
    if (plan.networks.length === 0) {
      await print('No network is unused.\n')
      return undefined
    }
    const names = plan.networks.map(({ name }) => escapeLine(name))
    await print(`Networks that no container is in:\n${names.map((name) => `  ${name}\n`).join('')}`)
    if (options['dry-run']) return undefined
    if (!options.force) {
      const answer = await askLine('Remove them? [y/N] ', { isSecret: false })
      if (!/^y(es)?$/i.test(answer.trim())) throw new KagoError('cancelled', 'nothing was removed')
    }
    const { networks } = await call(client, 'network.prune', { body: filter })
    await print(networks.map(({ name }) => `Deleted: ${escapeLine(name)}\n`).join(''))
    return undefined
  },
})
