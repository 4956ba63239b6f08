/** The import check itself is checked: each kind of wrong import, planted in a small tree, must be found. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '../../..')

const rightful = {
  'shared/errors.ts': 'export const a = 1',
  'cli/main.ts': "import { a } from '../shared/errors.ts'\nexport const b = a",
  'cli/types.ts': "import type { Static } from 'typebox'\nexport type S = Static<never>",
  'daemon/host/files.ts': "import { a } from '../../shared/errors.ts'\nexport const c = a",
  'daemon/image/pull.ts': "import { c } from '../host/files.ts'\nexport const d = c",
  'daemon/shim/launch.ts':
    'export interface E { e: 1 }\nexport function f(x: Disposable) { using y = x; return y }',
  'daemon/api/native/a.ts': "import { d } from '../../image/pull.ts'\nexport const f = d",
  'daemon/api/docker/a.ts': 'export const g = 1',
}

const wrong: readonly (readonly [what: string, path: string, text: string, rule: string])[] = [
  ['upwards', 'daemon/host/a.ts', "import '../image/pull.ts'", 'floor-0-imports-down-only'],
  ['upwards for a type', 'daemon/host/b.ts', typeImport('../shim/launch.ts'), 'floor-0-imports-down-only'],
  ['from a verb to the api', 'daemon/image/a.ts', "import '../api/native/a.ts'", 'floor-3-imports-down-only'],
  ['to a neighbour', 'daemon/image/b.ts', "import '../shim/launch.ts'", 'image-knows-no-neighbour'],
  ['between adapters', 'daemon/api/native/b.ts', "import '../docker/a.ts'", 'api-native-knows-no-neighbour'],
  ['from cli to daemon', 'cli/a.ts', "import '../daemon/host/files.ts'", 'cli-and-daemon-are-strangers'],
  ['from daemon to cli', 'daemon/host/c.ts', "import '../../cli/main.ts'", 'daemon-and-cli-are-strangers'],
  ['out of shared', 'shared/a.ts', "import 'node:fs'", 'shared-is-an-island'],
  ['in a circle', 'daemon/image/c.ts', "import './d.ts'", 'no-cycles'],
  ['in a circle for a type', 'daemon/image/e.ts', typeImport('./f.ts'), 'no-cycles'],
  ['to undici by the back door', 'daemon/image/g.ts', "import 'undici'", 'undici-has-one-door'],
  ['to fastify by the back door', 'daemon/container/a.ts', "import 'fastify'", 'fastify-has-one-door'],
  ['to koffi by the back door', 'daemon/host/d.ts', "import 'koffi'", 'koffi-has-one-door'],
  ['to node-pty by the back door', 'daemon/host/e.ts', "import 'node-pty'", 'node-pty-has-one-door'],
  [
    'to tar-stream by the back door',
    'daemon/registry/a.ts',
    "import 'tar-stream'",
    'tar-stream-has-one-door',
  ],
  [
    'from cli to the schemas',
    'cli/b.ts',
    "import { Type } from 'typebox'\nexport const t = Type",
    'cli-stays-light',
  ],
  ['to a tool at run time', 'daemon/host/f.ts', "import 'esbuild'", 'no-development-package-at-run-time'],
  ['to what is not there', 'daemon/host/g.ts', "import './gone.ts'", 'everything-resolves'],
]

const otherHalves = {
  'daemon/image/d.ts': "import './c.ts'",
  'daemon/image/f.ts': `${typeImport('./e.ts')}\nexport interface E { e: 1 }`,
}

function typeImport(from: string): string {
  return `import type { E } from '${from}'\nexport type { E as F }`
}

const trees: string[] = []

afterAll(() => {
  for (const tree of trees) rmSync(tree, { recursive: true, force: true })
})

function check(files: Record<string, string>): { status: number | null; output: string } {
  const tree = mkdtempSync(join(tmpdir(), 'kago-imports-'))
  trees.push(tree)
  for (const file of ['package.json', 'tsconfig.json']) copyFileSync(join(repository, file), join(tree, file))
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), `${text}\n`)
  }
  const script = join(repository, 'scripts/check-imports.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, tree], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the import check', () => {
  let found = { status: null as number | null, output: '' }

  beforeAll(() => {
    found = check({
      ...rightful,
      ...otherHalves,
      ...Object.fromEntries(wrong.map(([, path, text]) => [path, text])),
    })
  })

  it('is content with a tree whose imports go down', () => {
    expect(check(rightful)).toEqual({ status: 0, output: '8 modules, 5 imports, 0 against the rules\n' })
  })

  it('fails when there is a wrong import', () => {
    expect(found.status).toBe(1)
  })

  it.each(wrong)('finds an import that goes %s', (_, path, __, rule) => {
    expect(found.output).toContain(`${rule}: ${path} → `)
  })
})
