/** `kago network disconnect`: takes a container out of a network, running or not. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'

export const command = declare({
  usage: '[OPTIONS] NETWORK CONTAINER',
  words: { min: 2, max: 2 },
  options: { force: flag('A container that is gone or not in it is success', { short: 'f' }) },
  async run({ client, options: { force }, words: [network = '', container = ''] }) {
    await call(client, 'network.disconnect', { params: { network }, body: { container, force } })
    return undefined
  },
})
