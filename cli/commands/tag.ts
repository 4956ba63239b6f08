/** `kago tag`: gives an image another name. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'

export const command = declare({
  usage: 'SOURCE_IMAGE TARGET_IMAGE',
  words: { min: 2, max: 2 },
  options: {},
  async run({ client, words: [source = '', target = ''] }) {
    await call(client, 'image.tag', { body: { source, target } })
    return undefined
  },
})
