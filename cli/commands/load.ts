/** `kago load`: takes in images from an archive, of a file or of stdin. */
import { createReadStream, type ReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { KagoError } from '../../shared/errors.ts'
import { callLines } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'
import { isTerminal } from '../terminal/tty.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    input: text('FILE', 'Read from a file instead of stdin', { short: 'i' }),
    quiet: flag('Do not show progress', { short: 'q' }),
  },
  async run({ client, options }) {
    const archive = await openArchive(options.input)
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

async function openArchive(path: string | undefined): Promise<ReadStream | NodeJS.ReadStream> {
  if (path === undefined) {
    if (!isTerminal(0)) return process.stdin
    throw new KagoError('invalid_argument', 'stdin is a terminal, not an archive', {
      hint: 'name a file: kago load --input FILE',
    })
  }
  try {
    const handle = await open(path)
    return createReadStream(path, { fd: handle, highWaterMark: 1024 * 1024 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') throw new KagoError('not_found', `there is no file ${path}`, { cause: error })
    throw new KagoError('permission_denied', `cannot read ${path}`, { cause: error })
  }
}
