/** `kago unpause`: lets frozen containers go on. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { each } from './each.ts'

export const command = declare({
  usage: 'CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {},
  async run({ client, words }) {
    return await each(words, async (id) => {
      await call(client, 'container.unpause', { params: { id }, body: {} })
      return id
    })
  },
})
