/** `kago images`: the list of images, a line per name. */
import { shortId } from '../../shared/id.ts'
import type { ImageSummary } from '../../shared/protocol/images.ts'
import { formatAge, formatBytes } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing, type Row } from '../format/render.ts'
import { formatMoment } from '../format/text.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] [IMAGE]',
  words: { min: 0, max: 1 },
  options: {
    all: flag('For scripts: all are shown anyway', { short: 'a', isHidden: true }),
    digests: flag('Show the digests of manifests'),
    filter: list('KEY=VALUE', 'Only those with: dangling, label, reference, before, since', { short: 'f' }),
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.Repository}}:{{.Tag}}'"),
    'no-trunc': flag('Show everything in full'),
    quiet: flag('Print only ids', { short: 'q' }),
  },
  async run({ client, options, words: [name] }) {
    const query = defined({ name, filter: options.filter.length === 0 ? undefined : options.filter })
    const images = await call(client, 'image.list', { query })
    const isShort = !options['no-trunc']
    if (options.quiet && options.format === undefined) {
      await print(images.map(({ id }) => `${escapeLine(isShort ? shortId(id) : id)}\n`).join(''))
      return undefined
    }
    const rows = images.flatMap((image) => toRows(image, isShort, Date.now()))
    await print(renderListing({ titles, usual: options.digests ? withDigests : usual, rows }, options.format))
    return undefined
  },
})

const usual = 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}'
const withDigests = 'table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}'

const titles = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  Platform: 'PLATFORM',
  Labels: 'LABELS',
}

const none = '<none>'

function toRows(image: ImageSummary, isShort: boolean, now: number): Row[] {
  const names = image.names.length > 0 ? image.names.map(splitName) : [nameless(image)]
  return names.map(({ repository, tag }) => {
    const digest = image.digests.find((one) => one.startsWith(`${repository}@`))?.slice(repository.length + 1)
    const row = {
      ID: isShort ? shortId(image.id) : image.id,
      Repository: repository,
      Tag: tag,
      Digest: digest ?? none,
      CreatedSince: image.createdAt === null ? 'N/A' : `${formatAge(now - Date.parse(image.createdAt))} ago`,
      CreatedAt: image.createdAt === null ? 'N/A' : formatMoment(image.createdAt),
      Size: formatBytes(image.sizeBytes),
      Containers: String(image.containers),
      Platform: image.platform,
      Labels: Object.entries(image.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    }
    return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, escapeLine(value)]))
  })
}

/** `localhost:5000/a/b:tag`: the tag comes after the last colon that is after the last slash. */
function splitName(name: string): { repository: string; tag: string } {
  const at = name.indexOf('@')
  if (at >= 0) return { repository: name.slice(0, at), tag: none }
  const colon = name.lastIndexOf(':')
  if (colon <= name.lastIndexOf('/')) return { repository: name, tag: none }
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) }
}

function nameless({ digests }: ImageSummary): { repository: string; tag: string } {
  const [digest] = digests
  return { repository: digest === undefined ? none : digest.slice(0, digest.indexOf('@')), tag: none }
}
