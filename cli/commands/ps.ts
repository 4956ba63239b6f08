/** `kago ps`: the list of containers. */
import { shortId } from '../../shared/id.ts'
import type { ContainerSummary } from '../../shared/protocol/containers.ts'
import { formatAge, formatBytes } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { describePorts, describeStatus } from '../format/container.ts'
import { renderListing, type Row } from '../format/render.ts'
import { formatMoment, shorten } from '../format/text.ts'
import { defined } from '../options/limits.ts'
import { flag, integer, list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    all: flag('Show those that do not run too', { short: 'a' }),
    filter: list(
      'KEY=VALUE',
      'Only those with: id, name, label, status, health, exited, ancestor, network, volume, publish, expose, before, since',
      {
        short: 'f',
      },
    ),
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.ID}} {{.Names}}'"),
    last: integer('N', 'Show the last N, running or not', { short: 'n' }),
    latest: flag('Show the last one, running or not', { short: 'l' }),
    'no-trunc': flag('Show everything in full'),
    quiet: flag('Print only ids', { short: 'q' }),
    size: flag('Show how much each wrote, and with its image', { short: 's' }),
  },
  async run({ client, options }) {
    const limit = options.latest ? 1 : options.last
    const query = defined({
      all: options.all,
      limit: limit !== undefined && limit > 0 ? limit : undefined,
      filter: options.filter.length === 0 ? undefined : options.filter,
      size: options.size || options.format?.includes('.Size') ? true : undefined,
    })
    const containers = await call(client, 'container.list', { query })
    const isShort = !options['no-trunc']
    if (options.quiet && options.format === undefined) {
      await print(containers.map(({ id }) => `${escapeLine(isShort ? shortId(id) : id)}\n`).join(''))
      return undefined
    }
    const rows = containers.map((container) => toRow(container, isShort, Date.now()))
    await print(
      renderListing({ titles, usual: options.size ? `${usual}\t{{.Size}}` : usual, rows }, options.format),
    )
    return undefined
  },
})

const usual = 'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}'

const titles = {
  ID: 'CONTAINER ID',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Names: 'NAMES',
  Labels: 'LABELS',
  Label: 'LABEL',
  Mounts: 'MOUNTS',
  Networks: 'NETWORKS',
  Runtime: 'RUNTIME',
  Size: 'SIZE',
}

function toRow(container: ContainerSummary, isShort: boolean, now: number): Row {
  const { labels } = container
  const words = container.args.join(' ')
  const safe = Object.entries({
    ID: isShort ? shortId(container.id) : container.id,
    Image: container.image,
    Command: `"${isShort ? shorten(words, 20) : words}"`,
    CreatedAt: formatMoment(container.createdAt),
    RunningFor: `${formatAge(now - Date.parse(container.createdAt))} ago`,
    Ports: describePorts(container.ports),
    State: container.task.state,
    Status: describeStatus(container.task, now),
    Names: container.name,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: container.mounts.map((mount) => (isShort ? shorten(mount, 15) : mount)).join(','),
    Networks: container.networks.length === 0 ? container.network : container.networks.join(','),
    Runtime: container.runtime,
    Size: describeSize(container.size),
  }).map(([key, value]) => [key, escapeLine(value)])
  const Label = (key: unknown) => {
    const name = String(key)
    return escapeLine(Object.hasOwn(labels, name) ? (labels[name] ?? '') : '')
  }
  return { ...Object.fromEntries(safe), Label }
}

/** What could not be measured in time has a wave before it. */
function describeSize(size: ContainerSummary['size']): string {
  if (size === undefined) return ''
  const wave = size.isEstimate ? '~' : ''
  return `${wave}${formatBytes(size.writableBytes)} (virtual ${wave}${formatBytes(size.rootBytes)})`
}
