/** `kago export`: writes a container's root file system as a tar archive, to a file or to stdout. */
import { command as declare } from '../command.ts'
import { text } from '../options/spec.ts'
import { writeArchive } from './write-archive.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER',
  words: { min: 1, max: 1 },
  options: { output: text('FILE', 'Write to a file instead of stdout', { short: 'o' }) },
  async run({ client, options: { output }, words: [id = ''] }) {
    const instead = `kago export --output FILE ${id}`
    await writeArchive(client, 'container.export', { params: { id } }, { output, target: id, instead })
    return undefined
  },
})
