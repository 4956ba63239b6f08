/** `kago rm`: removes containers with their writable layers and logs. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { isKagoError } from '../../shared/errors.ts'
import { flag } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    force: flag('Kill it first if it runs', { short: 'f' }),
    volumes: flag('Remove its volumes without a name too', { short: 'v' }),
  },
  async run({ client, options: { force, volumes }, words }) {
    return await each(words, async (id) => {
      try {
        await call(client, 'container.remove', { params: { id }, query: { force, volumes } })
      } catch (error) {
        // What should be gone is gone: with --force that is success, as with rm(1).
        if (!(force && isKagoError(error, 'not_found'))) throw error
      }
      return id
    })
  },
})
