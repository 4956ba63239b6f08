/** The import check itself is checked: each kind of wrong import, planted in a small tree, must be found. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '../../..')
let tree = ''

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'kago-imports-'))
  for (const file of ['package.json', 'tsconfig.json']) copyFileSync(join(repository, file), join(tree, file))
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'))
  write('shared/errors.ts', 'export const a = 1\n')
  write('cli/main.ts', "import { a } from '../shared/errors.ts'\nexport const b = a\n")
  write('daemon/host/files.ts', "import { a } from '../../shared/errors.ts'\nexport const c = a\n")
  write('daemon/image/pull.ts', "import { c } from '../host/files.ts'\nexport const d = c\n")
  write('daemon/shim/launch.ts', 'export interface E { e: 1 }\nexport const e = 1\n')
  write('daemon/api/native/a.ts', "import { d } from '../../image/pull.ts'\nexport const f = d\n")
  write('daemon/api/docker/a.ts', 'export const g = 1\n')
})

afterEach(() => {
  rmSync(tree, { recursive: true, force: true })
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true })
  writeFileSync(join(tree, path), text)
}

function check(): { status: number | null; output: string } {
  const script = join(repository, 'scripts/check-imports.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, tree], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the import check', () => {
  it('is content with a tree whose imports go down', () => {
    const { status, output } = check()
    expect(output).toBe('7 modules, 4 imports, 0 against the rules\n')
    expect(status).toBe(0)
  })

  it.each([
    ['upwards', 'daemon/host/x.ts', "import '../image/pull.ts'", 'floor-0-imports-down-only'],
    [
      'upwards, a type',
      'daemon/host/x.ts',
      "import type { E } from '../shim/launch.ts'\nexport type F = E",
      'floor-0',
    ],
    ['a verb to the api', 'daemon/image/x.ts', "import '../api/native/a.ts'", 'floor-3-imports-down-only'],
    ['to a neighbour', 'daemon/image/x.ts', "import '../shim/launch.ts'", 'image-knows-no-neighbour'],
    [
      'between adapters',
      'daemon/api/native/x.ts',
      "import '../docker/a.ts'",
      'api-native-knows-no-neighbour',
    ],
    ['from the command line to the daemon', 'cli/x.ts', "import '../daemon/host/files.ts'", 'cli-and-daemon'],
    [
      'from the daemon to the command line',
      'daemon/host/x.ts',
      "import '../../cli/main.ts'",
      'daemon-and-cli',
    ],
    ['out of shared', 'shared/x.ts', "import 'node:fs'", 'shared-is-an-island'],
    ['in a circle', 'daemon/image/x.ts', "import './y.ts'", 'no-cycles'],
    ['undici by the back door', 'daemon/image/x.ts', "import 'undici'", 'undici-has-one-door'],
    ['fastify by the back door', 'daemon/container/x.ts', "import 'fastify'", 'fastify-has-one-door'],
    ['koffi by the back door', 'daemon/host/x.ts', "import 'koffi'", 'koffi-has-one-door'],
    ['node-pty by the back door', 'daemon/host/x.ts', "import 'node-pty'", 'node-pty-has-one-door'],
    ['tar-stream by the back door', 'daemon/registry/x.ts', "import 'tar-stream'", 'tar-stream-has-one-door'],
    [
      'schemas in the command line',
      'cli/x.ts',
      "import { Type } from 'typebox'\nexport const t = Type",
      'cli-stays-light',
    ],
    ['a tool at run time', 'daemon/host/x.ts', "import 'esbuild'", 'no-development-package'],
    ['of what is not there', 'daemon/host/x.ts', "import './gone.ts'", 'everything-resolves'],
  ])('finds an import that goes %s', (_, path, text, rule) => {
    write('daemon/image/y.ts', "import './x.ts'\n")
    write('daemon/image/x.ts', '')
    write(path, `${text}\n`)
    const { status, output } = check()
    expect(output).toContain(rule)
    expect(output).toContain(path)
    expect(status).toBe(1)
  })

  it('lets the command line import types of the schemas', () => {
    write('cli/x.ts', "import type { Static } from 'typebox'\nexport type S = Static<never>\n")
    expect(check()).toEqual({ status: 0, output: expect.stringContaining(' 0 against the rules') })
  })
})
