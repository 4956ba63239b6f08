/** `kago volume create`: makes a volume. */
import { KagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { readLabels } from '../options/files.ts'
import { defined } from '../options/limits.ts'
import { list, text } from '../options/spec.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] [NAME]',
  words: { min: 0, max: 1 },
  options: {
    driver: text('DRIVER', "'local', the only one", { short: 'd' }),
    label: list('KEY[=VALUE]', 'Put a label on it'),
  },
  async run({ client, options, words }) {
    if (options.driver !== undefined && options.driver !== 'local') {
      throw new KagoError(
        'not_supported',
        `there is no driver ${JSON.stringify(options.driver)} for volumes`,
        {
          hint: "the only one is 'local'; for a disk of another machine, mount it and bind it",
        },
      )
    }
    const labels = readLabels([], options.label)
    const { name } = await call(client, 'volume.create', { body: defined({ name: words[0], labels }) })
    await print(`${name}\n`)
    return undefined
  },
})
