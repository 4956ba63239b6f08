/** `kago network create`: makes a network. */
import { KagoError } from '../../shared/errors.ts'
import type { NetworkSubnet } from '../../shared/protocol/networks.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { readLabels, toMap } from '../options/files.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] NAME',
  words: { min: 1, max: 1 },
  options: {
    driver: text('DRIVER', "'bridge', the only one", { short: 'd' }),
    gateway: list('ADDRESS', "The host's own address in the subnet"),
    internal: flag('No way out of it'),
    'ip-range': list('SUBNET', 'Give containers addresses of this part of the subnet only'),
    ipv6: flag('Give it an IPv6 subnet too'),
    label: list('KEY[=VALUE]', 'Put a label on it'),
    opt: list('KEY=VALUE', "'mtu=1400'; 'bridge=NAME' for the name of its interface", { short: 'o' }),
    subnet: list('SUBNET', 'Its subnet: 10.5.0.0/16; one for each family. Without it, one that is free'),
  },
  async run({ client, options, words: [name = ''] }) {
    if (options.driver !== undefined && options.driver !== 'bridge') {
      throw new KagoError(
        'not_supported',
        `there is no driver ${JSON.stringify(options.driver)} for networks`,
        {
          hint: "the only one is 'bridge'",
        },
      )
    }
    const subnets = pairSubnets(options.subnet, options.gateway, options['ip-range'])
    const body = defined({
      name,
      subnets: subnets.length === 0 ? undefined : subnets,
      ipv6: options.ipv6 ? true : undefined,
      internal: options.internal ? true : undefined,
      labels: readLabels([], options.label),
      options: toMap('--opt', options.opt),
    })
    const { id } = await call(client, 'network.create', { body })
    await print(`${id}\n`)
    return undefined
  },
})

/** Gateways and ranges belong to the subnet of their family. */
function pairSubnets(
  subnets: readonly string[],
  gateways: readonly string[],
  ranges: readonly string[],
): NetworkSubnet[] {
  const isIpv6 = (text: string) => text.includes(':')
  const ofFamily = (option: string, given: readonly string[], subnet: string) => {
    const found = given.filter((one) => isIpv6(one) === isIpv6(subnet))
    if (found.length > 1) throw new KagoError('invalid_argument', `${option} is given twice for ${subnet}`)
    return found[0]
  }
  const orphan = [...gateways, ...ranges].find(
    (one) => !subnets.some((subnet) => isIpv6(subnet) === isIpv6(one)),
  )
  if (orphan !== undefined) {
    throw new KagoError('invalid_argument', `${orphan} belongs to no subnet`, {
      hint: 'say which: --subnet SUBNET',
    })
  }
  return subnets.map((subnet) =>
    defined({
      subnet,
      gateway: ofFamily('--gateway', gateways, subnet),
      ipRange: ofFamily('--ip-range', ranges, subnet),
    }),
  )
}
