/** `kago update`: changes the limits of containers, running or not. */
import { KagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { limitOptions, resourcesFrom } from '../options/limits.ts'
import { seeHelp } from '../options/parse.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: limitOptions,
  async run({ client, options, words, name }) {
    const resources = resourcesFrom(options)
    if (Object.keys(resources).length === 0) {
      throw new KagoError('invalid_argument', 'nothing to change was named', { hint: seeHelp(name) })
    }
    return await each(words, async (id) => {
      await call(client, 'container.update', { params: { id }, body: { resources } })
      return id
    })
  },
})
