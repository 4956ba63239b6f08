/** `kago exec`: another process in a running container, at this terminal or in the background. */
import type { ExecBody } from '../../shared/protocol/containers.ts'
import { call, openFrames } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { readEnv } from '../options/files.ts'
import { defined } from '../options/limits.ts'
import { flag, list, text } from '../options/spec.ts'
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts'
import { runSession } from '../terminal/session.ts'
import { terminalSize } from '../terminal/tty.ts'
import { exitOfSession } from './session-exit.ts'
import { requireTerminal } from './streams.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  words: { min: 2, max: Number.POSITIVE_INFINITY },
  stopsEarly: true,
  failureExit: 125,
  options: {
    detach: flag('Run in the background', { short: 'd' }),
    'detach-keys': text('KEYS', 'Keys that leave the process running: ctrl-p,ctrl-q'),
    env: list('KEY[=VALUE]', "Set an environment variable; without a value, kago's own", { short: 'e' }),
    'env-file': list('FILE', 'Read environment variables from a file'),
    interactive: flag('Keep stdin open', { short: 'i' }),
    privileged: flag('Give the process all capabilities'),
    tty: flag('Give the process a terminal', { short: 't' }),
    user: text('USER[:GROUP]', 'User to run as, by name or number', { short: 'u' }),
    workdir: text('DIRECTORY', 'Working directory', { short: 'w' }),
  },
  async run({ client, options, words: [id = '', ...program] }) {
    const { detach, interactive: stdin, tty: terminal } = options
    const detachKeys = parseDetachKeys(options['detach-keys'] ?? defaultDetachKeys)
    if (stdin && terminal && !detach) requireTerminal()
    const env = readEnv(options['env-file'], options.env, process.env)
    const body: ExecBody = defined({
      command: program,
      env: env.length === 0 ? undefined : env,
      user: options.user,
      workingDir: options.workdir,
      privileged: options.privileged || undefined,
      terminal: terminal || undefined,
    })
    const params = { id }
    if (detach) {
      await call(client, 'container.exec-detached', { params, body })
      return 0
    }
    const size = terminal ? terminalSize() : undefined
    const connection = await openFrames(client, 'container.exec', {
      params,
      body: { ...body, stdin, ...(size !== undefined && { size }) },
    })
    const end = await runSession(connection, {
      size,
      stdin,
      terminal,
      detachKeys,
      proxySignals: true,
      isStarted: true,
      killHint: () => `kago kill ${id}`,
    })
    return await exitOfSession(end)
  },
})
