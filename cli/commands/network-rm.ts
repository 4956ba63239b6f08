/** `kago network rm`: removes networks that no running container is in. */
import { isKagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: { force: flag('A network that is not there is success', { short: 'f' }) },
  async run({ client, options: { force }, words }) {
    return await each(words, async (network) => {
      try {
        await call(client, 'network.remove', { params: { network } })
        return network
      } catch (error) {
        if (force && isKagoError(error, 'not_found')) return []
        throw error
      }
    })
  },
})
