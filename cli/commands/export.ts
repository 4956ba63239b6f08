/** `kago export`: writes a container's root file system as a tar archive, to a file or to stdout. */
import { KagoError } from '../../shared/errors.ts'
import { callBytes } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { writeFileWhole } from '../files/write-whole.ts'
import { text } from '../options/spec.ts'
import { write } from '../terminal/output.ts'
import { isTerminal } from '../terminal/tty.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER',
  words: { min: 1, max: 1 },
  options: { output: text('FILE', 'Write to a file instead of stdout', { short: 'o' }) },
  async run({ client, options: { output }, words: [id = ''] }) {
    if (output === undefined && isTerminal(1)) {
      throw new KagoError('invalid_argument', 'an archive is not for a terminal', {
        hint: `name a file: kago export --output FILE ${id}`,
      })
    }
    await callBytes(client, 'container.export', { params: { id } }, async (archive) => {
      if (output === undefined) for await (const chunk of archive) await write('stdout', chunk)
      else await writeFileWhole(output, archive)
    })
    return undefined
  },
})
