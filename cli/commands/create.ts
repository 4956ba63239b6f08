/** `kago create`: a new container that is not started. */
import { callLines } from '../client/client.ts'
import { registryHeaders } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { containerOptions } from '../options/container.ts'
import { createBodyFrom } from '../options/create-body.ts'
import { list } from '../options/spec.ts'
import { claimCidFile } from '../terminal/cidfile.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'
import { parseStreams } from './streams.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  stopsEarly: true,
  options: {
    ...containerOptions,
    attach: list('STREAM', 'Keep stdin open for a later start: stdin', { short: 'a' }),
  },
  async run({ client, options, words }) {
    const { stdin } = parseStreams(options.attach, options.interactive)
    const given = createBodyFrom(options, words)
    const body = stdin ? { ...given, stdin: true } : given
    const cidFile = options.cidfile === undefined ? undefined : claimCidFile(options.cidfile)
    const progress = progressFor({ isQuiet: options.quiet })
    try {
      const headers = await registryHeaders([body.image])
      const { id } = await callLines(client, 'container.create', { body, headers }, progress.report)
      progress.end()
      cidFile?.write(id)
      await print(`${id}\n`)
      return 0
    } finally {
      progress.end()
      cidFile?.close()
    }
  },
})
