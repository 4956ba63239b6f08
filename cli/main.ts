/** `kago`: finds the command, loads it alone, runs it, and turns its end into an exit code. */
import { KagoError } from '../shared/errors.ts'
import { nearest } from '../shared/nearest.ts'
import { parseHost } from './client/address.ts'
import type { Command } from './command.ts'
import { type Entry, type Noun, nouns, type Verb, verbs } from './commands/table.ts'
import { describeError, exitCodeOf } from './exit.ts'
import { parseOptions, seeHelp } from './options/parse.ts'
import { globalOptions } from './options/global.ts'
import type { Options } from './options/spec.ts'
import { createActivities } from './terminal/activity.ts'
import { flush, print, printError, readerGone } from './terminal/output.ts'

const brokenPipeExit = 141

interface Found {
  readonly name: string
  readonly entry: Entry
  readonly rest: readonly string[]
}

async function main(argv: readonly string[]): Promise<number> {
  let failureExit: number | undefined
  try {
    const { values, words, wantsHelp } = parseOptions(
      { name: 'kago', options: globalOptions, stopsEarly: true },
      argv,
    )
    if (values.version) return await runVerb('version', [])
    if (words.length === 0) return await runVerb('help', [])
    const found = findCommand(words, wantsHelp)
    if (found === undefined) return await runVerb('help', words.slice(0, 1))
    const command = await found.entry.load()
    failureExit = command.failureExit
    return await runCommand(command, found, values.host)
  } catch (error) {
    if (error === readerGone) return brokenPipeExit
    await printError(describeError(error)).catch(() => {})
    return exitCodeOf(error, failureExit)
  }
}

async function runVerb(verb: Verb, rest: readonly string[]): Promise<number> {
  const entry = verbs[verb]
  return await runCommand(await entry.load(), { name: `kago ${verb}`, entry, rest }, undefined)
}

async function runCommand(
  command: Command<Options>,
  found: Found,
  host: string | undefined,
): Promise<number> {
  const { name, entry, rest } = found
  const grammar = { name, options: command.options, stopsEarly: command.stopsEarly ?? false }
  const { values, words, wantsHelp } = parseOptions(grammar, rest)
  if (wantsHelp) {
    const { describeCommand } = await import('./commands/help-text.ts')
    await print(describeCommand(name, entry.summary, command))
    return 0
  }
  checkWords(command, name, words)
  const activities = createActivities({
    // Looked at only when something has taken long: it costs what the quick ones save.
    isTerminal: () => process.stderr.isTTY,
    columns: () => process.stderr.columns || 80,
    // Nobody who reads: the command goes on all the same.
    write: (line) => void printError(line).catch(() => {}),
    now: () => performance.now(),
  })
  const client = { address: parseHost(host ?? process.env['KAGO_HOST']), onWait: activities.begin }
  return (await command.run({ client, options: values, words, name })) ?? 0
}

function checkWords(
  { words: { min, max }, usage }: Command<Options>,
  name: string,
  words: readonly string[],
): void {
  if (words.length >= min && words.length <= max) return
  const wanted = min === max ? `${min}` : words.length < min ? `at least ${min}` : `at most ${max}`
  const plural = wanted.endsWith(' 1') || wanted === '1' ? '' : 's'
  const message = max === 0 ? `${name} takes no arguments` : `${name} needs ${wanted} argument${plural}`
  throw new KagoError('invalid_argument', message, { hint: `usage: ${name} ${usage}` })
}

/** Undefined asks for help on a noun that stands alone. */
function findCommand(words: readonly string[], wantsHelp: boolean): Found | undefined {
  const [first = '', second] = words
  const noun = own<Noun>(nouns, first)
  if (noun !== undefined && (second === undefined || second === '--help' || second === '-h')) return undefined
  if (noun !== undefined && second !== undefined) {
    const verb = own<Verb>(noun.verbs, second)
    if (verb === undefined) throw unknownCommand(`kago ${first}`, second, Object.keys(noun.verbs))
    return { name: `kago ${first} ${second}`, entry: verbs[verb], rest: words.slice(2) }
  }
  const entry = own<Entry>(verbs, first)
  if (entry === undefined) throw unknownCommand('kago', first, [...Object.keys(verbs), ...Object.keys(nouns)])
  return { name: `kago ${first}`, entry, rest: wantsHelp ? ['--help'] : words.slice(1) }
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function unknownCommand(parent: string, word: string, known: readonly string[]): KagoError {
  const meant = nearest(word, known)
  const suggestion = meant === undefined ? '' : `did you mean ${parent} ${meant}? `
  return new KagoError('invalid_argument', `${parent} has no command ${JSON.stringify(word)}`, {
    hint: `${suggestion}${seeHelp(parent)}`,
  })
}

void main(process.argv.slice(2)).then(async (code) => {
  const isCut = await flush().then(
    () => false,
    () => true,
  )
  // Not by leaving the loop to run dry: a stdin that is being read would hold it.
  process.exit(isCut && code === 0 ? brokenPipeExit : code)
})
