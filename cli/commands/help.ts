/** `kago help`: what there is; with `--json` as data, for completion and for programs. */
import { KagoError } from '../../shared/errors.ts'
import { command as declare } from '../command.ts'
import { globalOptions } from '../options/global.ts'
import { seeHelp } from '../options/parse.ts'
import { flag } from '../options/spec.ts'
import { print } from '../terminal/output.ts'
import { describeAll, describeCommand, describeNoun } from './help-text.ts'
import { nouns, type Verb, verbs } from './table.ts'

export const command = declare({
  usage: '[COMMAND]',
  words: { min: 0, max: 2 },
  options: { json: flag('Print all commands and options as JSON') },
  async run({ options, words }) {
    if (options.json) await print(`${JSON.stringify(await everything(), null, 2)}\n`)
    else await print(await describe(words))
    return undefined
  },
})

async function describe([first, second]: readonly string[]): Promise<string> {
  if (first === undefined) return describeAll()
  const noun = Object.hasOwn(nouns, first) ? nouns[first] : undefined
  if (noun !== undefined && second === undefined) return describeNoun(first)
  const word =
    noun === undefined
      ? first
      : Object.hasOwn(noun.verbs, second ?? '')
        ? noun.verbs[second ?? '']
        : undefined
  if (word === undefined || !isVerb(word)) {
    throw new KagoError(
      'invalid_argument',
      `there is no command ${JSON.stringify([first, second].join(' ').trim())}`,
      {
        hint: seeHelp('kago'),
      },
    )
  }
  const name = ['kago', first, ...(noun === undefined ? [] : [second ?? ''])].join(' ')
  return describeCommand(name, verbs[word].summary, await verbs[word].load())
}

function isVerb(word: string): word is Verb {
  return Object.hasOwn(verbs, word)
}

/** The whole command line as data. */
export async function everything(): Promise<object> {
  const commands = await Promise.all(
    Object.entries(verbs).map(async ([name, entry]) => {
      const { usage, options, stopsEarly } = await entry.load()
      return { name, summary: entry.summary, usage, stopsEarly: stopsEarly ?? false, options }
    }),
  )
  return { options: globalOptions, commands, nouns }
}
