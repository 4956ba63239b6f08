/** `kago volume clone`: makes a volume with the content of another. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: 'VOLUME NEW-VOLUME',
  words: { min: 2, max: 2 },
  options: {},
  async run({ client, words: [volume = '', to = ''] }) {
    const { name } = await call(client, 'volume.clone', { params: { volume }, body: { name: to } })
    await print(`${name}\n`)
    return undefined
  },
})
