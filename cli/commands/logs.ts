/** `kago logs`: what containers wrote, on the stream they wrote it to. */
import { KagoError } from '../../shared/errors.ts'
import { FrameParser, frameTypes, parseError } from '../../shared/protocol/frames.ts'
import { callBytes } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { defined } from '../options/limits.ts'
import { flag, text } from '../options/spec.ts'
import { parseMoment } from '../options/moment.ts'
import { write } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    details: flag("Show the container's labels before each line"),
    follow: flag('Go on with what is written from now on', { short: 'f' }),
    since: text('TIME', 'From a moment on: 2026-01-31T12:00:00Z, or so long ago: 10m'),
    tail: text('N', "So many lines from the end, or 'all'", { short: 'n' }),
    timestamps: flag('Show when each line was written', { short: 't' }),
    until: text('TIME', 'Up to a moment: 2026-01-31T12:00:00Z, or so long ago: 10m'),
  },
  async run({ client, options, words }) {
    const { details, follow, timestamps, since, until } = options
    const now = Date.now()
    const query = defined({
      details: details || undefined,
      follow,
      timestamps,
      tail: parseTail(options.tail),
      since: since === undefined ? undefined : parseMoment('--since', since, now),
      until: until === undefined ? undefined : parseMoment('--until', until, now),
    })
    const [id = '', ...more] = words
    if (more.length > 0) {
      const { printMerged } = await import('./logs-merged.ts')
      return await printMerged(client, words, query)
    }
    await callBytes(client, 'container.logs', { params: { id }, query }, async (body) => {
      const parser = new FrameParser({ pieces: true })
      for await (const chunk of body) {
        for (const { type, payload } of parser.push(chunk)) {
          if (type === frameTypes.stdout) await write('stdout', payload)
          else if (type === frameTypes.stderr) await write('stderr', payload)
          else if (type === frameTypes.error) throw parseError(payload)
        }
      }
    })
    return undefined
  },
})

/** `all`, and as in Docker any negative number, is no limit. */
function parseTail(value: string | undefined): number | undefined {
  if (value === undefined || value === 'all' || /^-\d+$/.test(value)) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new KagoError('invalid_argument', `--tail is a number of lines or all, not ${JSON.stringify(value)}`)
}
