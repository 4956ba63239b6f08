/** Files that options name: environment, labels, a seccomp profile. Read here, because the daemon may be elsewhere. */
import { readFileSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'

/** @throws not_found and the like, naming the option. */
export function readOptionFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT')
      throw new KagoError('not_found', `${option}: there is no file ${path}`, { cause: error })
    if (code === 'EACCES')
      throw new KagoError('permission_denied', `${option}: you may not read ${path}`, { cause: error })
    throw new KagoError('invalid_argument', `${option}: cannot read ${path}`, { cause: error })
  }
}

/** Lines that say something: not empty, not beginning with `#`. */
export function linesOf(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** `KEY=value` stays; `KEY` takes its value from the environment and is left out where that has none. */
export function resolveEnv(entries: readonly string[], environment: NodeJS.ProcessEnv): string[] {
  return entries.flatMap((entry) => {
    if (entry.includes('=')) return [entry]
    const value = environment[entry]
    return value === undefined ? [] : [`${entry}=${value}`]
  })
}

/** The variables of `--env-file`s, then those of `--env`: the later ones count. */
export function readEnv(
  files: readonly string[],
  entries: readonly string[],
  environment: NodeJS.ProcessEnv,
): string[] {
  const fromFiles = files.flatMap((file) => {
    const lines = linesOf(readOptionFile('--env-file', file))
    const bad = lines.find((line) => /^[^=]*\s/.test(line) || line.startsWith('='))
    if (bad === undefined) return lines
    throw new KagoError('invalid_argument', `--env-file: ${file}: not a variable: ${JSON.stringify(bad)}`, {
      hint: 'a line is KEY=value, or KEY for the value that it has here',
    })
  })
  return resolveEnv([...fromFiles, ...entries], environment)
}

/** `key=value` or `key`, from files first; the later ones count. */
export function readLabels(files: readonly string[], entries: readonly string[]): Record<string, string> {
  const all = [...files.flatMap((file) => linesOf(readOptionFile('--label-file', file))), ...entries]
  return toMap('--label', all)
}

/** @throws invalid_argument for an entry without a key. */
export function toMap(option: string, entries: readonly string[]): Record<string, string> {
  const map = new Map<string, string>()
  for (const entry of entries) {
    const equals = entry.indexOf('=')
    const key = equals < 0 ? entry : entry.slice(0, equals)
    if (key === '') throw new KagoError('invalid_argument', `${option}: ${JSON.stringify(entry)} has no key`)
    map.set(key, equals < 0 ? '' : entry.slice(equals + 1))
  }
  return Object.fromEntries(map)
}
