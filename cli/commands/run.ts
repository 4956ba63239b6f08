/** `kago run`: a new container, started, with this terminal at its streams until it ends. One request. */
import { callLines, openFrames } from '../client/client.ts'
import { registryHeaders } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { KagoError } from '../../shared/errors.ts'
import { containerOptions } from '../options/container.ts'
import { createBodyFrom } from '../options/create-body.ts'
import { flag, list, text } from '../options/spec.ts'
import { claimCidFile } from '../terminal/cidfile.ts'
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts'
import { print } from '../terminal/output.ts'
import { progressFor } from '../terminal/progress.ts'
import { runSession } from '../terminal/session.ts'
import { terminalSize } from '../terminal/tty.ts'
import { exitOfSession } from './session-exit.ts'
import { parseStreams, requireTerminal } from './streams.ts'

export const command = declare({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  stopsEarly: true,
  failureExit: 125,
  options: {
    ...containerOptions,
    attach: list('STREAM', 'Attach only stdin, stdout or stderr', { short: 'a' }),
    detach: flag('Run in the background and print the id', { short: 'd' }),
    'detach-keys': text('KEYS', 'Keys that leave the container running: ctrl-p,ctrl-q'),
    'sig-proxy': flag('Pass signals on to the container', { default: true }),
  },
  async run({ client, options, words }) {
    const streams = parseStreams(options.attach, options.interactive)
    const isForeground = !options.detach
    if (!isForeground && options.attach.length > 0) {
      throw new KagoError('invalid_argument', '--attach and --detach exclude each other')
    }
    const body = createBodyFrom(options, words)
    const wantsTerminal = options.tty && streams.stdin && isForeground
    if (wantsTerminal) requireTerminal()
    const detachKeys = parseDetachKeys(options['detach-keys'] ?? defaultDetachKeys)
    const cidFile = options.cidfile === undefined ? undefined : claimCidFile(options.cidfile)
    const progress = progressFor({ isQuiet: options.quiet })
    const headers = await registryHeaders([body.image])
    let id = ''
    try {
      if (!isForeground) {
        const created = await callLines(
          client,
          'container.create',
          { query: { start: true }, body, headers },
          progress.report,
        )
        progress.end()
        cidFile?.write(created.id)
        await print(`${created.id}\n`)
        return 0
      }
      const size = options.tty ? terminalSize() : undefined
      const connection = await openFrames(client, 'container.run', {
        body: {
          create: streams.stdin ? { ...body, stdin: true } : body,
          attach: { stdin: streams.stdin, output: true },
          ...(size !== undefined && { size }),
        },
        headers,
      })
      const end = await runSession(connection, {
        size,
        stdin: streams.stdin,
        terminal: options.tty,
        detachKeys,
        proxySignals: options['sig-proxy'],
        isStarted: false,
        hides: streams.hides,
        killHint: () => `kago kill ${options.name ?? id.slice(0, 12)}`,
        onEvent: (event) => {
          if (event.type === 'created') {
            id = event.id
            cidFile?.write(event.id)
            progress.end()
          } else progress.report(event)
        },
      })
      return await exitOfSession(end)
    } finally {
      progress.end()
      cidFile?.close()
    }
  },
})
