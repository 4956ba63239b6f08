/** `kago volume rm`: removes volumes that no container mounts. */
import { isKagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: { force: flag('A volume that is not there is success', { short: 'f' }) },
  async run({ client, options: { force }, words }) {
    return await each(words, async (volume) => {
      try {
        await call(client, 'volume.remove', { params: { volume } })
        return volume
      } catch (error) {
        if (force && isKagoError(error, 'not_found')) return []
        throw error
      }
    })
  },
})
