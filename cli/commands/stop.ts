/** `kago stop`: asks containers to end, and kills them if they do not. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { defined } from '../options/limits.ts'
import { integer, text } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    signal: text('SIGNAL', 'Signal that asks it to end', { short: 's' }),
    timeout: integer('SECONDS', 'How long to wait before it is killed; -1 is for ever', {
      short: 't',
      aliases: ['time'],
    }),
  },
  async run({ client, options, words }) {
    const body = defined({ timeoutSeconds: options.timeout, signal: options.signal })
    return await each(words, async (id) => {
      await call(client, 'container.stop', { params: { id }, body })
      return id
    })
  },
})
