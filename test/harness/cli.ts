/** Runs the built command line as users do: its own process, real pipes or a real terminal. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { bundle } from '../../scripts/bundle.ts'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'

const root = join(import.meta.dirname, '..', '..')

let built: Promise<string> | undefined

/** Bundles the command line as the build does, into a file of the tests' own. Answers with its path. */
export function buildCli(): Promise<string> {
  built ??= (async () => {
    const { text } = await bundle(
      root,
      { entry: 'cli/main.ts', output: 'kago.cjs', format: 'cjs' },
      { __KAGO_VERSION__: '0.0.0-test', __KAGO_COMMIT__: 'test' },
    )
    const directory = join(root, '.cache', 'test-cli')
    mkdirSync(directory, { recursive: true })
    const path = join(directory, `kago-${process.pid}.cjs`)
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
    return path
  })()
  return built
}

export interface CliResult {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: Buffer
}

export interface CliOptions {
  readonly host?: string
  /** Given to stdin, which then ends; without it stdin ends at once. */
  readonly input?: string | Uint8Array
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** Called with the process once it runs. */
  readonly meanwhile?: (child: ChildProcessWithoutNullStreams) => void | Promise<void>
}

export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, ['--', await buildCli(), ...args], {
    cwd: options.cwd,
    env: cliEnvironment(options),
    stdio: 'pipe',
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => {})
  if (options.meanwhile === undefined || options.input !== undefined) child.stdin.end(options.input ?? '')
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => {
      resolve([status, signal])
    })
  })
  await options.meanwhile?.(child)
  const [status, signal] = await ended
  const stdoutBytes = Buffer.concat(stdout)
  return {
    status,
    signal,
    stdout: stdoutBytes.toString(),
    stderr: Buffer.concat(stderr).toString(),
    stdoutBytes,
  }
}

/** An environment in which nothing of the tester's own configuration is seen. */
export function cliEnvironment({ host, env }: Pick<CliOptions, 'host' | 'env'>): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: '/nonexistent',
    TERM: 'xterm-256color',
    ...(host !== undefined && { KAGO_HOST: host }),
    ...env,
  }
}
