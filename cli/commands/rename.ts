/** `kago rename`: gives a container another name. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'

export const command = declare({
  usage: 'CONTAINER NEW_NAME',
  words: { min: 2, max: 2 },
  options: {},
  async run({ client, words: [id = '', name = ''] }) {
    await call(client, 'container.rename', { params: { id }, body: { name } })
    return undefined
  },
})
