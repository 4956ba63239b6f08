/** What the build leaves in dist: small programs, wrappers that find their Node, and nothing to do twice. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bundle, programs } from '../../../scripts/bundle.ts'
import { makeBytecode } from '../../../scripts/code-cache.ts'

const repository = join(import.meta.dirname, '../../..')
const dist = join(repository, 'dist')
const build = () =>
  spawnSync(process.execPath, [join(repository, 'scripts/build.ts')], { encoding: 'utf8', cwd: '/' })

beforeAll(() => {
  const { status, stderr } = build()
  if (status !== 0) throw new Error(stderr)
})

describe('the build', () => {
  it('does nothing when nothing has changed', () => {
    const { stdout, status } = build()
    expect({ stdout, status }).toEqual({ stdout: 'dist is up to date\n', status: 0 })
  })

  it('names the entry that is missing', async () => {
    const program = { entry: 'cli/gone.ts', output: 'gone.cjs', format: 'cjs' } as const
    await expect(bundle(repository, program, {})).rejects.toThrow('missing entry point: cli/gone.ts')
  })

  it('keeps schemas, servers and native modules out of the command line', async () => {
    const program = programs.find(({ output }) => output === 'cli.cjs')
    if (program === undefined) throw new Error('the command line is not built')
    const { inputs } = await bundle(repository, program, {})
    expect(
      inputs.filter((input) => /node_modules\/(typebox|undici|fastify|koffi|node-pty|pino)\//.test(input)),
    ).toEqual([])
    expect(inputs.filter((input) => input.startsWith('daemon/'))).toEqual([])
  })

  it('loads no part of undici, and no ES module, to print a help text', () => {
    const probe = `process.argv.push('--help'); process.on('exit', () => {
      process.stdout.write('\\n' + JSON.stringify(process.moduleLoadList)) }); require(${JSON.stringify(join(dist, 'kago.cjs'))})`
    const output = execFileSync(process.execPath, ['-e', probe], { encoding: 'utf8' })
    const loaded = output.slice(output.lastIndexOf('\n'))
    expect(loaded).toContain('NativeModule')
    expect(loaded).not.toContain('undici')
  })

  it('leaves bytecode that this Node takes for the command line', () => {
    const text = readFileSync(join(dist, 'cli.cjs'), 'latin1')
    const { cachedDataRejected } = new Script(
      `(function (exports, require, module, __filename, __dirname) {${text}\n})`,
      { cachedData: readFileSync(join(dist, 'cli.bytecode')) },
    )
    expect(cachedDataRejected).toBe(false)
  })

  it('has a command line that works without its bytecode, and with bytecode of something else', () => {
    const home = mkdtempSync(join(tmpdir(), 'kago-cli-'))
    try {
      for (const name of ['kago.cjs', 'cli.cjs']) copyFileSync(join(dist, name), join(home, name))
      const help = () =>
        execFileSync(process.execPath, [join(home, 'kago.cjs'), '--help'], { encoding: 'utf8' })
      const compiled = help()
      expect(compiled).toContain('run')
      writeFileSync(join(home, 'cli.bytecode'), new Script('1').createCachedData())
      expect(help()).toBe(compiled)
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  })

  it('says which letter of the command line is not ASCII', () => {
    expect(() => makeBytecode(Buffer.from("print('\u00b5s')"))).toThrow('must be ASCII')
  })

  it('has completion that bash can read and that knows `run`', () => {
    const file = join(dist, 'completion/kago.bash')
    const script = `source "$1"; COMP_WORDS=(kago ru); COMP_CWORD=1; _kago; echo "\${COMPREPLY[@]}"
      COMP_WORDS=(kago run --ru); COMP_CWORD=2; _kago; echo "\${COMPREPLY[@]}"`
    expect(execFileSync('bash', ['-c', script, 'bash', file], { encoding: 'utf8' })).toBe('run\n--runtime\n')
  })
})

describe('the wrappers', () => {
  let home = ''

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'kago-wrapper-'))
    mkdirSync(join(home, 'lib/kago/bin'), { recursive: true })
    mkdirSync(join(home, 'bin'))
    copyFileSync(join(dist, 'bin/kago'), join(home, 'lib/kago/bin/kago'))
    writeFileSync(join(home, 'lib/kago/node'), '#!/bin/sh\necho "own node: $*"\n', { mode: 0o755 })
    writeFileSync(join(home, 'lib/kago/kago.cjs'), '')
    symlinkSync('../lib/kago/bin/kago', join(home, 'bin/kago'))
  })

  afterEach(() => {
    rmSync(home, { recursive: true, force: true })
  })

  const start = (path: string) =>
    spawnSync(path, ['a b', 'c'], { encoding: 'utf8', cwd: '/', env: { PATH: `${home}/bin:/usr/bin:/bin` } })

  it('use the Node beside them', () => {
    const { stdout } = start(join(home, 'lib/kago/bin/kago'))
    expect(stdout).toBe(`own node: -- ${home}/lib/kago/bin/../kago.cjs a b c\n`)
  })

  it('find their home through the link in bin, found in PATH', () => {
    expect(start('kago').stdout).toContain('own node: ')
  })

  it('find their home through a link from anywhere', () => {
    symlinkSync(join(home, 'lib/kago/bin/kago'), join(home, 'elsewhere'))
    expect(start(join(home, 'elsewhere')).stdout).toContain('own node: ')
  })

  it('say so when their home is gone', () => {
    rmSync(join(home, 'lib/kago/kago.cjs'))
    const { status, stderr } = start(join(home, 'bin/kago'))
    expect(status).toBe(1)
    expect(stderr).toMatch(/^kago: kago.cjs is not beside .*; build or install kago again\n$/)
  })

  it('name no place of the machine they were built on', () => {
    for (const name of ['kago', 'kagod']) {
      expect(readFileSync(join(dist, 'bin', name), 'utf8')).not.toContain(repository)
    }
  })
})
