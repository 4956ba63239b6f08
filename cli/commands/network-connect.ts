/** `kago network connect`: puts a container into a network, running or not. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { defined } from '../options/limits.ts'
import { list, text } from '../options/spec.ts'

export const command = declare({
  usage: '[OPTIONS] NETWORK CONTAINER',
  words: { min: 2, max: 2 },
  options: {
    alias: list('NAME', 'Another name for it in the network'),
    ip: text('ADDRESS', 'Its IPv4 address in the network'),
    ip6: text('ADDRESS', 'Its IPv6 address in the network'),
    'mac-address': text('MAC', 'The MAC address of its link'),
  },
  async run({ client, options, words: [network = '', container = ''] }) {
    const body = defined({
      container,
      aliases: options.alias.length === 0 ? undefined : options.alias,
      ipv4Address: options.ip,
      ipv6Address: options.ip6,
      macAddress: options['mac-address'],
    })
    await call(client, 'network.connect', { params: { network }, body })
    return undefined
  },
})
