/** `kago volume ls`: the list of volumes. */
import type { VolumeDetails } from '../../shared/protocol/volumes.ts'
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
    filter: list('KEY=VALUE', 'Only those with: name, label, dangling', { short: 'f' }),
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.Name}} {{.UsedBy}}'"),
    quiet: flag('Print only names', { short: 'q' }),
  },
  async run({ client, options }) {
    const query = defined({ filter: options.filter.length === 0 ? undefined : options.filter })
    const volumes = await call(client, 'volume.list', { query })
    if (options.quiet && options.format === undefined) {
      await print(volumes.map(({ name }) => `${escapeLine(name)}\n`).join(''))
      return undefined
    }
    await print(renderListing({ titles, usual, rows: volumes.map(toRow) }, options.format))
    return undefined
  },
})

const usual = 'table {{.Driver}}\t{{.Name}}\t{{.UsedBy}}'

const titles = {
  Driver: 'DRIVER',
  Name: 'VOLUME NAME',
  UsedBy: 'USED BY',
  Scope: 'SCOPE',
  Mountpoint: 'MOUNTPOINT',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
}

function toRow(volume: VolumeDetails): Row {
  const row = {
    Driver: 'local',
    Name: volume.name,
    UsedBy: volume.usedBy.join(','),
    Scope: 'local',
    Mountpoint: volume.path,
    Labels: Object.entries(volume.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    CreatedAt: formatMoment(volume.createdAt),
  }
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, escapeLine(value)]))
}
