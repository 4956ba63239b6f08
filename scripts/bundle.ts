/** The JavaScript programs that are built, and how esbuild makes one file of each. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { BuildOptions, Message } from 'esbuild'

export interface Program {
  readonly entry: string
  readonly output: string
  readonly format: 'cjs' | 'esm'
}

export const programs: readonly Program[] = [
  { entry: 'cli/main.ts', output: 'cli.cjs', format: 'cjs' },
  { entry: 'daemon/main.ts', output: 'kagod.mjs', format: 'esm' },
  { entry: 'daemon/image/unpack-layer.ts', output: 'unpack-layer.mjs', format: 'esm' },
  { entry: 'daemon/container/tree/tree-program.ts', output: 'tree.mjs', format: 'esm' },
]

/** Packages with a compiled half: they stay in node_modules, beside or above the bundle. */
const native = ['koffi', 'node-pty']

// Bundled CommonJS packages ask for these; an ES module has neither.
const commonJsWords = `import { createRequire as __createRequire } from 'node:module'
const require = __createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname
`

export interface Bundle {
  readonly text: Uint8Array
  /** Every file it was made of, relative to the repository. */
  readonly inputs: string[]
}

export async function bundle(
  root: string,
  program: Program,
  constants: Record<string, string>,
): Promise<Bundle> {
  if (!existsSync(join(root, program.entry))) throw new Error(`missing entry point: ${program.entry}`)
  const { build } = await import('esbuild')
  const made = build({
    ...options(program),
    absWorkingDir: root,
    entryPoints: [program.entry],
    define: Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    write: false,
    metafile: true,
  })
  const result = await made.catch((error: Error & { errors?: Message[] }) => {
    throw new Error(error.errors?.map(describe).join('\n') ?? error.message)
  })
  const file = result.outputFiles[0]
  if (file === undefined) throw new Error(`${program.entry} gave no output`)
  const inputs = Object.keys(result.metafile.inputs).map((input) => relative(root, join(root, input)))
  return { text: file.contents, inputs }
}

function describe({ location, text }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column}: ${text}`
}

function options({ format }: Program): BuildOptions {
  return {
    bundle: true,
    platform: 'node',
    target: 'node24',
    format,
    minifySyntax: true,
    legalComments: 'none',
    external: native,
    logLevel: 'silent',
    outfile: 'bundle',
    ...(format === 'esm'
      ? // The daemon keeps its source in memory as long as it runs: without white space that is a fifth of it less.
        { banner: { js: commonJsWords }, mainFields: ['module', 'main'], minifyWhitespace: true }
      : // `import('node:tls')` as `require`: Node's loader for ES modules costs more than the whole command line.
        { supported: { 'dynamic-import': false } }),
  }
}
