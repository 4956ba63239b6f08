/**
 * Checks that imports go down only (the rules are in .dependency-cruiser.cjs): `node scripts/check-imports.ts`.
 * Without a parser that understands it, dependency-cruiser finds no TypeScript and is content: so every
 * source file must turn up among the modules it looked at.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Cruise = Type.Object({
  modules: Type.Array(Type.Object({ source: Type.String() })),
  summary: Type.Object({
    violations: Type.Array(
      Type.Object({ from: Type.String(), to: Type.String(), rule: Type.Object({ name: Type.String() }) }),
    ),
    totalDependenciesCruised: Type.Integer(),
  }),
})

const root = process.argv[2] ?? join(import.meta.dirname, '..')
const folders = ['cli', 'daemon', 'shared', 'scripts', 'test'].filter((folder) =>
  existsSync(join(root, folder)),
)
const sources = globSync(`{${folders.join(',')}}/**/*.ts`, { cwd: root })
const { modules, summary } = cruise()
const seen = new Set(modules.map(({ source }) => source))
const unseen = sources.filter((file) => !seen.has(file))

for (const { rule, from, to } of summary.violations) process.stdout.write(`${rule.name}: ${from} → ${to}\n`)
for (const file of unseen) process.stdout.write(`not looked at: ${file}\n`)
process.stdout.write(
  `${sources.length - unseen.length} modules, ${summary.totalDependenciesCruised} imports, ${summary.violations.length} against the rules\n`,
)
if (summary.violations.length > 0 || unseen.length > 0) process.exitCode = 1

function cruise() {
  const mirror = mkdtempSync(join(tmpdir(), 'kago-imports-'))
  try {
    copyWithoutUsing(mirror)
    const program = join(import.meta.dirname, '../node_modules/dependency-cruiser/bin/dependency-cruiser.mjs')
    const rules = join(import.meta.dirname, '../.dependency-cruiser.cjs')
    const words = [program, '--config', rules, '--output-type', 'json', ...folders]
    const { stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: mirror,
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
    })
    if (!stdout.startsWith('{')) throw new Error(`dependency-cruiser gave no report: ${stderr}`)
    return Value.Parse(Cruise, JSON.parse(stdout))
  } finally {
    rmSync(mirror, { recursive: true, force: true })
  }
}

/** dependency-cruiser stumbles over `using` declarations, which say nothing about imports: it reads a copy. */
function copyWithoutUsing(mirror: string): void {
  for (const file of ['package.json', 'tsconfig.json']) copyFileSync(join(root, file), join(mirror, file))
  symlinkSync(realpathSync(join(root, 'node_modules')), join(mirror, 'node_modules'))
  for (const source of sources) {
    mkdirSync(dirname(join(mirror, source)), { recursive: true })
    const text = readFileSync(join(root, source), 'utf8')
    writeFileSync(join(mirror, source), text.replaceAll(/\b(?:await )?using (?=[\w$]+ =)/g, 'const '))
  }
}
