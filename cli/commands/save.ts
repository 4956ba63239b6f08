/** `kago save`: writes images as an archive, to a file or to stdout. */
import { command as declare } from '../command.ts'
import { text } from '../options/spec.ts'
import { writeArchive } from './write-archive.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  words: { min: 1, max: 100 },
  options: { output: text('FILE', 'Write to a file instead of stdout', { short: 'o' }) },
  async run({ client, options: { output }, words }) {
    const target = words.join(' ')
    const instead = `kago save --output FILE ${target}`
    await writeArchive(client, 'image.save', { query: { name: [...words] } }, { output, target, instead })
    return undefined
  },
})
