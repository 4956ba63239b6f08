/** `kago save`: writes images as an archive, to a file or to stdout. */
import { KagoError } from '../../shared/errors.ts'
import { callBytes } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { writeFileWhole } from '../files/write-whole.ts'
import { text } from '../options/spec.ts'
import { write } from '../terminal/output.ts'
import { isTerminal } from '../terminal/tty.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  words: { min: 1, max: 100 },
  options: { output: text('FILE', 'Write to a file instead of stdout', { short: 'o' }) },
  async run({ client, options: { output }, words }) {
    if (output === undefined && isTerminal(1)) {
      throw new KagoError('invalid_argument', 'an archive is not for a terminal', {
        hint: `name a file: kago save --output FILE ${words.join(' ')}`,
      })
    }
    await callBytes(client, 'image.save', { query: { name: [...words] } }, async (archive) => {
      if (output === undefined) for await (const chunk of archive) await write('stdout', chunk)
      else await writeFileWhole(output, archive)
    })
    return undefined
  },
})
