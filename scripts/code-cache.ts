/**
 * The command line's starter, and V8's bytecode of the command line: with it the program is read, not compiled, at
 * every start, which saves 5 of 13 ms. Bytecode fits the very Node that made it and the very text it was made of; V8
 * looks at that, and compiles as ever when it does not.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `kago.cjs`: runs cli.cjs, beside it, with its bytecode if that is there. One byte a letter: cli.cjs is all ASCII. */
export const starter = `'use strict'
const { readFileSync } = require('node:fs')
const { Script } = require('node:vm')
const filename = __dirname + '/cli.cjs'
let cachedData
try {
  cachedData = readFileSync(__dirname + '/cli.bytecode')
} catch {}
const text = '(function (exports, require, module, __filename, __dirname) {' + readFileSync(filename, 'latin1') + '\\n})'
new Script(text, { filename, cachedData }).runInThisContext()(exports, require, module, filename, __dirname)
`

/**
 * Bytecode of the functions that the usual commands call: a child plays them against a server that says yes.
 * @throws if the program is not ASCII, or a command did not end
 */
export function makeBytecode(program: Uint8Array): Uint8Array {
  const odd = program.findIndex((byte) => byte > 127)
  if (odd >= 0) {
    const near = Buffer.from(program.slice(Math.max(0, odd - 40), odd + 10)).toString()
    throw new Error(`cli.cjs must be ASCII; write the letter as an escape: ${JSON.stringify(near)}`)
  }
  const directory = mkdtempSync(join(tmpdir(), 'kago-bytecode-'))
  try {
    writeFileSync(join(directory, 'cli.cjs'), program)
    execFileSync(process.execPath, [join(import.meta.dirname, 'code-cache-program.ts'), directory], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 60_000,
      env: { KAGO_CONFIG: directory, DOCKER_CONFIG: directory, KAGO_HOST: join(directory, 'kagod.sock') },
    })
    return readFileSync(join(directory, 'cli.bytecode'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
