/** `kago events`: what happens, as it happens; with `--since`, what happened first. Goes on when kagod is restarted. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isKagoError } from '../../shared/errors.ts'
import type { Event } from '../../shared/protocol/events.ts'
import { callStream } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing } from '../format/render.ts'
import { defined } from '../options/limits.ts'
import { parseMoment } from '../options/moment.ts'
import { list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print, printError } from '../terminal/output.ts'

/** How long a daemon that has gone is waited for. */
const patienceMs = 120_000
const pauseMs = 500

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    filter: list('KEY=VALUE', 'Only those with: type, event, container, image, network, volume, label', {
      short: 'f',
    }),
    format: text('FORMAT', "'json', or a template: '{{.Type}} {{.Action}} {{.Actor.ID}}'"),
    since: text('TIME', 'What happened from then on: a time, or how long ago'),
    until: text('TIME', 'Ends there'),
  },
  async run({ client, options }) {
    const now = Date.now()
    const until = options.until === undefined ? undefined : parseMoment('--until', options.until, now)
    const query = defined({
      since: options.since === undefined ? undefined : parseMoment('--since', options.since, now),
      until,
      filter: options.filter.length === 0 ? undefined : options.filter,
    })
    const { format } = options
    let last: number | undefined
    let goneAt: number | undefined
    for (;;) {
      try {
        const request = { query: last === undefined ? query : { ...query, after: last } }
        await callStream(client, 'system.events', request, async (event) => {
          goneAt = undefined
          if (event.seq > 0) last = event.seq
          await print(format === undefined ? sentence(event) : renderListing(listingOf(event), format))
        })
        return undefined
      } catch (error) {
        // What has been followed is gone on with; who has seen nothing yet learns that there is no daemon.
        if (!isKagoError(error, 'unavailable') || last === undefined) throw error
        if (goneAt === undefined) await printError('kago: kagod has gone; waiting for it\n')
        goneAt ??= Date.now()
        if (Date.now() - goneAt > patienceMs) throw error
        await sleep(pauseMs)
      }
    }
  },
})

function sentence({ at, type, action, id, attributes }: Event): string {
  const more = Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  const tail = more.length === 0 ? '' : ` (${more.join(', ')})`
  return `${escapeLine(`${at} ${type} ${actionOf(action, attributes)} ${id}${tail}`)}\n`
}

/** As Docker says it: `health_status: healthy`. */
function actionOf(action: string, attributes: Event['attributes']): string {
  return action === 'health_status' ? `health_status: ${attributes['status'] ?? ''}` : action
}

/** With Docker's names. */
function listingOf(event: Event) {
  const { at, type, id, attributes } = event
  const time = Date.parse(at)
  const Action = actionOf(event.action, attributes)
  const row = {
    ...(type === 'container' && { status: Action, id, from: attributes['image'] ?? '' }),
    Type: type,
    Action,
    Actor: { ID: id, Attributes: attributes },
    Status: Action,
    ID: id,
    From: attributes['image'] ?? '',
    Scope: 'local',
    Time: Math.floor(time / 1000),
    // As a text in JSON: it has more digits than a number can hold.
    TimeNano: `${time}000000`,
    Seq: event.seq,
  }
  return { titles: {}, usual: '', rows: [row] }
}
