/** `kago operations`: what the daemon did, newest first. */
import { formatAge, formatDuration } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing } from '../format/render.ts'
import { shorten } from '../format/text.ts'
import { shortId } from '../../shared/id.ts'
import { flag, integer, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] [NAME]',
  words: { min: 0, max: 1 },
  options: {
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.ID}} {{.Kind}}'"),
    last: integer('N', 'Show the last N; 20 if not given', { short: 'n' }),
    'no-trunc': flag('Show everything in full'),
    quiet: flag('Print only ids', { short: 'q' }),
  },
  async run({ client, options, words: [target] }) {
    const query = { limit: options.last ?? 20, ...(target !== undefined && { target }) }
    const operations = await call(client, 'operation.list', { query })
    if (options.quiet && options.format === undefined) {
      await print(operations.map(({ id }) => `${escapeLine(id)}\n`).join(''))
      return undefined
    }
    const isShort = !options['no-trunc']
    const now = Date.now()
    const rows = operations.map((one) => ({
      ID: escapeLine(one.id),
      Kind: escapeLine(one.kind),
      Target: escapeLine(isShort ? shortTarget(one.target) : one.target),
      Status: escapeLine(one.status),
      Started: `${formatAge(now - Date.parse(one.startedAt))} ago`,
      StartedAt: escapeLine(one.startedAt),
      Duration: one.durationMs === null ? '' : formatDuration(one.durationMs),
      Steps: String(one.steps),
      Error: escapeLine(one.error ?? ''),
    }))
    await print(renderListing({ titles, usual, rows }, options.format))
    return undefined
  },
})

const usual = 'table {{.ID}}\t{{.Kind}}\t{{.Target}}\t{{.Status}}\t{{.Started}}\t{{.Duration}}\t{{.Steps}}'

const titles = {
  ID: 'OPERATION',
  Kind: 'KIND',
  Target: 'TARGET',
  Status: 'STATUS',
  Started: 'STARTED',
  StartedAt: 'STARTED AT',
  Duration: 'DURATION',
  Steps: 'STEPS',
  Error: 'ERROR',
}

function shortTarget(target: string): string {
  return /^[0-9a-f]{64}$/.test(target) ? shortId(target) : shorten(target, 40)
}
