/** `kago commit`: makes an image of a container. */
import type { Progress } from '../../shared/protocol/progress.ts'
import { callLines } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [NAME[:TAG]]',
  words: { min: 1, max: 2 },
  options: {
    author: text('TEXT', 'Who made it', { short: 'a' }),
    change: list('INSTRUCTION', 'Apply an instruction of a Dockerfile: CMD, ENV, EXPOSE, …', { short: 'c' }),
    message: text('TEXT', 'What the history says', { short: 'm' }),
    pause: flag('Let the container stand still meanwhile', { short: 'p', default: true }),
    quiet: flag('Do not show progress', { short: 'q' }),
  },
  async run({ client, options: { author, change, message, pause, quiet }, words: [id = '', name] }) {
    const changes = change.length === 0 ? undefined : change
    const body = defined({ name, author, message, changes, pause })
    const progress = progressFor({ isQuiet: quiet })
    try {
      // Its one layer is neither fetched nor worth a bar.
      const report = (news: Progress) => {
        if (news.type === 'notice') progress.report(news)
      }
      const made = await callLines(client, 'container.commit', { params: { id }, body }, report)
      progress.end()
      await print(`${escapeLine(made.id)}\n`)
      return undefined
    } finally {
      progress.end()
    }
  },
})
