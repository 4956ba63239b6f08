/** `kago push`: brings an image to its registry. */
import { formatReference, formatRepository, parseReference } from '../../shared/reference.ts'
import { callLines } from '../client/client.ts'
import { registryHeaders } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE',
  words: { min: 1, max: 1 },
  options: {
    'all-tags': flag('All names of the repository that are here', { short: 'a' }),
    quiet: flag("Print only the images' names", { short: 'q' }),
  },
  async run({ client, options: { 'all-tags': allTags, quiet }, words: [reference = ''] }) {
    const name = parseReference(reference)
    const headers = await registryHeaders([reference])
    const progress = progressFor({ isQuiet: quiet })
    try {
      if (!quiet) await print(`The push refers to repository [${escapeLine(formatRepository(name))}]\n`)
      const body = { reference, ...(allTags && { allTags }) }
      const pushed = await callLines(client, 'image.push', { body, headers }, progress.report)
      progress.end()
      for (const image of pushed) {
        const { tag = '' } = parseReference(image.reference)
        await print(
          quiet
            ? `${formatReference(parseReference(image.reference))}\n`
            : `${tag}: digest: ${escapeLine(image.digest)} size: ${image.sizeBytes}\n`,
        )
      }
      return 0
    } finally {
      progress.end()
    }
  },
})
