/** `kago rmi`: removes names of images, and images whose last name it was. */
import { isKagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    force: flag('Remove all its names, and do not mind containers that do not run', { short: 'f' }),
    'no-prune': flag('For scripts: changes nothing', { isHidden: true }),
  },
  async run({ client, options: { force }, words }) {
    return await each(words, async (name) => {
      try {
        const { untagged, deleted } = await call(client, 'image.remove', { query: { name, force } })
        return [...untagged.map((one) => `Untagged: ${one}`), ...deleted.map((one) => `Deleted: ${one}`)]
      } catch (error) {
        if (force && isKagoError(error, 'not_found')) return []
        throw error
      }
    })
  },
})
