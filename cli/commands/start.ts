/** `kago start`: starts containers; with `-a` or `-i` this terminal joins one from its first byte. */
import { KagoError } from '../../shared/errors.ts'
import { call, type Client, openFrames } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag, text } from '../options/spec.ts'
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts'
import { runSession } from '../terminal/session.ts'
import { terminalSize } from '../terminal/tty.ts'
import { each } from './each.ts'
import { exitOfSession } from './session-exit.ts'
import { requireTerminal } from './streams.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    attach: flag('Show its output, pass signals on, and end with its exit code', { short: 'a' }),
    'detach-keys': text('KEYS', 'Keys that leave the container running: ctrl-p,ctrl-q'),
    interactive: flag('Send what is typed here', { short: 'i' }),
    'sig-proxy': flag('Pass signals on to the container', { default: true }),
  },
  async run({ client, options, words }) {
    if (!options.attach && !options.interactive) {
      return await each(words, async (id) => {
        await call(client, 'container.start', { params: { id }, body: {} })
        return id
      })
    }
    const [id = '', second] = words
    if (second !== undefined) {
      throw new KagoError('invalid_argument', 'only one container can be started with --attach', {
        hint: `start them one by one, or without it: kago start ${words.join(' ')}`,
      })
    }
    return await startAttached(client, id, {
      stdin: options.interactive,
      detachKeys: parseDetachKeys(options['detach-keys'] ?? defaultDetachKeys),
      proxySignals: options['sig-proxy'],
    })
  },
})

async function startAttached(
  client: Client,
  id: string,
  wants: { stdin: boolean; detachKeys: Uint8Array; proxySignals: boolean },
): Promise<number> {
  const { options, name } = await call(client, 'container.inspect', { params: { id } })
  const stdin = wants.stdin && options.stdin
  if (stdin && options.terminal) requireTerminal()
  const size = options.terminal ? terminalSize() : undefined
  const connection = await openFrames(client, 'container.start-attached', {
    params: { id },
    body: { stdin, ...(size !== undefined && { size }) },
  })
  const end = await runSession(connection, {
    size,
    ...wants,
    stdin,
    terminal: options.terminal,
    isStarted: true,
    killHint: () => `kago kill ${name}`,
  })
  return await exitOfSession(end)
}
