/** `kago pull`: fetches an image from its registry. */
import { formatReference, parseReference } from '../../shared/reference.ts'
import { callLines } from '../client/client.ts'
import { registryHeaders } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE',
  words: { min: 1, max: 1 },
  options: {
    'all-tags': flag('All tags of the repository', { short: 'a' }),
    platform: text('OS/ARCH[/VARIANT]', 'The platform of the image'),
    quiet: flag("Print only the image's name", { short: 'q' }),
  },
  async run({ client, options, words: [reference = ''] }) {
    const name = parseReference(reference)
    const headers = await registryHeaders([reference])
    const progress = progressFor({ isQuiet: options.quiet })
    const body = { reference, ...(options.platform !== undefined && { platform: options.platform }) }
    try {
      const request = { body, headers }
      const pulled = options['all-tags']
        ? await callLines(client, 'image.pull-all', request, progress.report)
        : [await callLines(client, 'image.pull', request, progress.report)]
      progress.end()
      for (const image of pulled) {
        if (!options.quiet) {
          const status = image.upToDate ? 'Image is up to date for' : 'Downloaded newer image for'
          await print(
            `Digest: ${escapeLine(image.digest)}\nStatus: ${status} ${escapeLine(image.reference)}\n`,
          )
        }
        await print(`${formatReference(options['all-tags'] ? parseReference(image.reference) : name)}\n`)
      }
      return 0
    } finally {
      progress.end()
    }
  },
})
