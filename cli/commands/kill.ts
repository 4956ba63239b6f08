/** `kago kill`: sends a signal to containers, SIGKILL if none is named. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { text } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: { signal: text('SIGNAL', 'Signal to send, by name or number', { short: 's' }) },
  async run({ client, options: { signal }, words }) {
    return await each(words, async (id) => {
      await call(client, 'container.kill', { params: { id }, body: signal === undefined ? {} : { signal } })
      return id
    })
  },
})
