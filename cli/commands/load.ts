/** `kago load`: takes in images from an archive, of a file or of stdin. */
import { callLines } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { openArchive } from '../files/open-archive.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    input: text('FILE', 'Read from a file instead of stdin', { short: 'i' }),
    quiet: flag('Do not show progress', { short: 'q' }),
  },
  async run({ client, options }) {
    const archive = await openArchive(options.input, 'name a file: kago load --input FILE')
    const progress = progressFor({ isQuiet: options.quiet })
    try {
      const images = await callLines(client, 'image.load', {}, progress.report, archive)
      progress.end()
      for (const { id, names } of images) {
        const lines =
          names.length === 0 ? [`Loaded image ID: ${id}`] : names.map((name) => `Loaded image: ${name}`)
        await print(lines.map((line) => `${escapeLine(line)}\n`).join(''))
      }
      return 0
    } finally {
      progress.end()
      archive.destroy()
    }
  },
})
