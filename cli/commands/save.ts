/** `kago save`: writes images as an archive, to a file or to stdout. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import { callBytes } from '../client/client.ts'
import { command as declare } from '../command.ts'
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

/** The file appears when all of it is there. What is no plain file (`/dev/null`) is written to as it is. */
async function writeFileWhole(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const temporary = path.startsWith('/dev/') ? path : `${path}.${process.pid}.new`
  try {
    const descriptor = openSync(temporary, 'w', 0o644)
    try {
      for await (const chunk of chunks) writeAll(descriptor, chunk)
    } finally {
      closeSync(descriptor)
    }
    if (temporary !== path) renameSync(temporary, path)
  } catch (error) {
    if (temporary !== path) rmSync(temporary, { force: true })
    if (error instanceof KagoError) throw error
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOSPC') throw new KagoError('exhausted', `no space left for ${path}`, { cause: error })
    throw new KagoError('permission_denied', `cannot write ${path}`, { cause: error })
  }
}

function writeAll(descriptor: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at)
}
