/** `kago network ls`: the list of networks. */
import { shortId } from '../../shared/id.ts'
import type { NetworkSummary } from '../../shared/protocol/networks.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing, type Row } from '../format/render.ts'
import { formatMoment } from '../format/text.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    filter: list('KEY=VALUE', 'Only those with: id, name, label, driver, type, dangling', { short: 'f' }),
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.Name}} {{.Subnets}}'"),
    'no-trunc': flag('Show everything in full'),
    quiet: flag('Print only ids', { short: 'q' }),
  },
  async run({ client, options }) {
    const query = defined({ filter: options.filter.length === 0 ? undefined : options.filter })
    const networks = await call(client, 'network.list', { query })
    const isShort = !options['no-trunc']
    if (options.quiet && options.format === undefined) {
      await print(networks.map(({ id }) => `${escapeLine(isShort ? shortId(id) : id)}\n`).join(''))
      return undefined
    }
    const rows = networks.map((network) => toRow(network, isShort))
    await print(renderListing({ titles, usual, rows }, options.format))
    return undefined
  },
})

const usual = 'table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Subnets}}\t{{.Containers}}'

const titles = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  Subnets: 'SUBNETS',
  Containers: 'CONTAINERS',
  Bridge: 'BRIDGE',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
}

function toRow(network: NetworkSummary, isShort: boolean): Row {
  const row = {
    ID: isShort ? shortId(network.id) : network.id,
    Name: network.name,
    Driver: 'bridge',
    Scope: 'local',
    Subnets: network.subnets.map(({ subnet }) => subnet).join(','),
    Containers: String(network.containers),
    Bridge: network.bridge,
    IPv6: String(network.ipv6),
    Internal: String(network.internal),
    Labels: Object.entries(network.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    CreatedAt: formatMoment(network.createdAt),
  }
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, escapeLine(value)]))
}
