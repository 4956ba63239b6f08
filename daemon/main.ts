/** kagod: reads its configuration, takes its roots, repairs what its last run left, listens, and ends cleanly. */
import { parseArgs } from 'node:util'
import { KagoError, errorTable, toKagoError } from '../shared/errors.ts'
import { text } from 'node:stream/consumers'
import { userLine } from './api/registry/users.ts'
import { startDaemon } from './compose.ts'
import { type ConfigFile, defaultConfigFile, readConfig } from './config.ts'
import { unpackCommand } from './image/unpack-command.ts'
import { findPrograms } from './paths.ts'
import { logLevels } from './telemetry/log.ts'
import { daemonVersion } from './version.ts'

const usage = `kagod: the kago daemon; pulls images, runs containers, answers the kago command.

usage: kagod [OPTIONS]
       kagod registry-user NAME < PASSWORD                            (prints a line for the file registryUsers)
       kagod unpack [--format tree|overlay] DIRECTORY < LAYER   (applies one layer; see kagod unpack --help)

  --config FILE     configuration (default ${defaultConfigFile}; it may be missing)
  --data-root DIR   images, layers, containers, the database (default /var/lib/kago/v1)
  --run-root DIR    sockets and bundles (default /run/kago)
  --socket PATH     where to listen (default RUN-ROOT/kagod.sock)
  --log-level LEVEL ${logLevels.join(', ')} (default info)
  --version         print the version
  --help            print this
`

try {
  await main(process.argv.slice(2))
} catch (thrown) {
  const error = toKagoError(thrown)
  process.stderr.write(`kagod: ${error.message}\n`)
  if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`)
  if (error.code === 'internal')
    process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : ''}\n`)
  // Containers that were found again keep connections open, which would keep a daemon that failed from ending.
  process.exit(errorTable[error.code].exit)
}

async function main(args: string[]): Promise<void> {
  if (args[0] === 'unpack') {
    process.exitCode = await unpackCommand(args.slice(1), findPrograms().unpackLayer)
    return
  }
  if (args[0] === 'registry-user') {
    process.stdout.write(
      `${await userLine(args[1] ?? '', (await text(process.stdin)).replace(/\r?\n$/, ''))}\n`,
    )
    return
  }
  const options = parse(args)
  if (options.help === true) return void process.stdout.write(usage)
  if (options.version === true) {
    const { version, commit } = daemonVersion()
    return void process.stdout.write(`kagod ${version} (${commit})\n`)
  }
  if (process.platform !== 'linux') throw new KagoError('not_supported', 'kagod runs on Linux only')
  if (process.getuid?.() !== 0) {
    throw new KagoError('permission_denied', 'kagod needs to be root', { hint: 'start it with sudo' })
  }
  const overrides: Partial<ConfigFile> = {
    ...(options['data-root'] !== undefined && { dataRoot: options['data-root'] }),
    ...(options['run-root'] !== undefined && { runRoot: options['run-root'] }),
    ...(options.socket !== undefined && { socket: options.socket }),
    ...(isLogLevel(options['log-level']) && { logLevel: options['log-level'] }),
  }
  const daemon = await startDaemon(readConfig(options.config, overrides))
  let isClosing = false
  const close = () => {
    if (isClosing) return
    isClosing = true
    daemon.close().then(
      // Nothing may go on that works on roots which are given back.
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`kagod: ${toKagoError(error).message}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', close)
  process.on('SIGINT', close)
}

function parse(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        'data-root': { type: 'string' },
        'run-root': { type: 'string' },
        socket: { type: 'string' },
        'log-level': { type: 'string' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values['log-level'] !== undefined && !isLogLevel(values['log-level'])) {
      throw new KagoError('invalid_argument', `no such log level: ${values['log-level']}`, {
        hint: `levels: ${logLevels.join(', ')}`,
      })
    }
    return values
  } catch (error) {
    if (error instanceof KagoError) throw error
    throw new KagoError('invalid_argument', error instanceof Error ? error.message : String(error), {
      hint: 'see kagod --help',
    })
  }
}

function isLogLevel(text: string | undefined): text is (typeof logLevels)[number] {
  return logLevels.some((level) => level === text)
}
