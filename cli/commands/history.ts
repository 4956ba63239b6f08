/** `kago history`: how an image was built, newest step first. */
import { shortId } from '../../shared/id.ts'
import { formatAge, formatBytes } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing } from '../format/render.ts'
import { formatMoment, shorten } from '../format/text.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE',
  words: { min: 1, max: 1 },
  options: {
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.CreatedBy}}'"),
    human: flag('Show sizes and dates for people', { short: 'H', default: true }),
    'no-trunc': flag('Show everything in full'),
    quiet: flag('Print only layers', { short: 'q' }),
  },
  async run({ client, options, words: [name = ''] }) {
    const steps = await call(client, 'image.history', { query: { name } })
    const isShort = !options['no-trunc']
    const now = Date.now()
    const layer = (digest: string | null) =>
      digest === null ? '<missing>' : escapeLine(isShort ? shortId(digest) : digest)
    if (options.quiet && options.format === undefined) {
      await print(steps.map((step) => `${layer(step.layer)}\n`).join(''))
      return undefined
    }
    const rows = steps.map((step) => ({
      ID: layer(step.layer),
      CreatedSince: step.createdAt === null ? 'N/A' : `${formatAge(now - Date.parse(step.createdAt))} ago`,
      CreatedAt: step.createdAt === null ? 'N/A' : escapeLine(formatMoment(step.createdAt)),
      CreatedBy: escapeLine(isShort ? shorten(step.createdBy.replace(/\s+/g, ' '), 45) : step.createdBy),
      Size: options.human ? formatBytes(step.sizeBytes) : String(step.sizeBytes),
      Comment: escapeLine(step.comment),
    }))
    await print(renderListing({ titles, usual: options.human ? usual : exact, rows }, options.format))
    return undefined
  },
})

const usual = 'table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}'
const exact = 'table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}'

const titles = {
  ID: 'LAYER',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
}
