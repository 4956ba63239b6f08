/** `kago import`: makes an image of one layer from an archive of files, of a file or of stdin. */
import { KagoError } from '../../shared/errors.ts'
import type { Progress } from '../../shared/protocol/progress.ts'
import { callLines } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { openArchive } from '../files/open-archive.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'

export const command = declare({
  usage: '[OPTIONS] FILE|- [NAME[:TAG]]',
  words: { min: 1, max: 2 },
  options: {
    change: list('INSTRUCTION', 'Apply an instruction of a Dockerfile: CMD, ENV, EXPOSE, …', { short: 'c' }),
    message: text('TEXT', 'What the history says', { short: 'm' }),
    platform: text('OS/ARCH', 'What its programs are made for'),
    quiet: flag('Do not show progress', { short: 'q' }),
  },
  async run({ client, options: { change, message, platform, quiet }, words: [file = '', name] }) {
    if (/^https?:\/\//.test(file)) {
      throw new KagoError('not_supported', 'kago import fetches no URLs', {
        hint: `pipe it: curl -L ${file} | kago import - NAME`,
      })
    }
    const query = defined({ name, message, platform, change: change.length === 0 ? undefined : change })
    const archive = await openArchive(file === '-' ? undefined : file, 'name a file: kago import FILE NAME')
    const progress = progressFor({ isQuiet: quiet })
    try {
      // Its one layer is neither fetched nor worth a bar.
      const report = (news: Progress) => {
        if (news.type === 'notice') progress.report(news)
      }
      const { id } = await callLines(client, 'image.import', { query }, report, archive)
      progress.end()
      await print(`${escapeLine(id)}\n`)
      return 0
    } finally {
      progress.end()
      archive.destroy()
    }
  },
})
