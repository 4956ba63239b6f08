/** `kagod unpack`: one layer from standard input onto a directory, by hand, as a pull does it. */
import { fstatSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { KagoError, toKagoError } from '../../shared/errors.ts'
import { fileError } from '../host/files.ts'
import { layerLimits } from './layer-limits.ts'
import type { LayerFormat } from './layer-tree.ts'
import { runUnpackChild } from './unpack-child.ts'

export const unpackUsage = `usage: kagod unpack [--format tree|overlay] DIRECTORY < layer.tar[.gz|.zst]

Applies one layer onto DIRECTORY, with the code, the limits and the errors of a pull, and prints the layer's diffID.

  --format tree     DIRECTORY holds the layers below; what the layer hides is removed from it (default)
  --format overlay  DIRECTORY holds this layer alone; what it hides is written as overlayfs reads it

Names and links that point above DIRECTORY are resolved inside it. The status is 0, or 1 with one line on standard
error; DIRECTORY is then to be thrown away.
`

/** @returns the exit status */
export async function unpackCommand(args: readonly string[], childPath: string): Promise<number> {
  try {
    const { directory, format, isHelp } = parse(args)
    if (isHelp) {
      process.stdout.write(unpackUsage)
      return 0
    }
    process.stdout.write(`${await unpackStdin(directory, format, childPath)}\n`)
    return 0
  } catch (thrown) {
    process.stderr.write(`kagod: ${toKagoError(thrown).message}\n`)
    return 1
  }
}

function parse(args: readonly string[]): { directory: string; format: LayerFormat; isHelp: boolean } {
  const { values, positionals } = parseStrictly(args)
  const isHelp = values.help === true
  const { format = 'tree' } = values
  const [directory, ...more] = positionals
  if (format !== 'tree' && format !== 'overlay')
    throw new KagoError('invalid_argument', `--format ${format}: it is tree or overlay`)
  if (!isHelp && (directory === undefined || directory === '' || more.length > 0))
    throw new KagoError('invalid_argument', 'unpack needs one directory; see kagod unpack --help')
  return { directory: resolve(directory ?? '.'), format, isHelp }
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { format: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
  } catch (error) {
    throw new KagoError('invalid_argument', error instanceof Error ? error.message : String(error))
  }
}

/** @returns the diffID */
async function unpackStdin(directory: string, format: LayerFormat, childPath: string): Promise<string> {
  if (!isDirectory(directory)) throw new KagoError('invalid_argument', `${directory} is not a directory`)
  const input = fstatSync(0)
  const outcome = await runUnpackChild(
    {
      do: 'extract',
      directory,
      format,
      layer: 'standard input',
      limits: await layerLimits(directory, input.isFile() ? input.size : undefined),
    },
    { childPath, input: 0 },
  )
  if (outcome.type !== 'extracted') throw new KagoError('internal', `the unpacker answered ${outcome.type}`)
  if (outcome.needs.targets)
    throw new KagoError('corrupt', 'the layer has a hard link to a file that only a layer below can have')
  return outcome.diffId
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw fileError(error, `cannot unpack into ${path}`)
  }
}
