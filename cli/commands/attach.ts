/** `kago attach`: joins the streams of a running container. */
import { call, openFrames } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag, text } from '../options/spec.ts'
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts'
import { runSession } from '../terminal/session.ts'
import { terminalSize } from '../terminal/tty.ts'
import { exitOfSession } from './session-exit.ts'
import { requireTerminal } from './streams.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER',
  words: { min: 1, max: 1 },
  options: {
    'detach-keys': text('KEYS', 'Keys that leave the container running: ctrl-p,ctrl-q'),
    'no-stdin': flag('Only look on'),
    'sig-proxy': flag('Pass signals on to the container', { default: true }),
  },
  async run({ client, options, words: [id = ''] }) {
    const detachKeys = parseDetachKeys(options['detach-keys'] ?? defaultDetachKeys)
    const container = await call(client, 'container.inspect', { params: { id } })
    const { terminal } = container.options
    const stdin = container.options.stdin && !options['no-stdin']
    if (stdin && terminal) requireTerminal()
    const size = terminal ? terminalSize() : undefined
    const connection = await openFrames(client, 'container.attach', {
      params: { id },
      body: {
        stdin,
        output: true,
        // A row more than there are; the session sends the true size next, and a shell draws its prompt again.
        ...(size !== undefined && { size: { columns: size.columns, rows: size.rows + 1 } }),
      },
    })
    const end = await runSession(connection, {
      stdin,
      terminal,
      detachKeys,
      proxySignals: options['sig-proxy'],
      isStarted: true,
      killHint: () => `kago kill ${container.name}`,
    })
    return await exitOfSession(end)
  },
})
