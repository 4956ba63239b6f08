/** Reads a command's words by the grammar that Docker's users have in their fingers. */
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'
import type { Option, Options, ValuesOf } from './spec.ts'

export interface Grammar<O extends Options> {
  readonly options: O
  /** For messages: `kago run`. */
  readonly name: string
  /** Whether the first word that is no option ends the options: what follows belongs to the container's command. */
  readonly stopsEarly?: boolean
}

export interface Parsed<O extends Options> {
  readonly values: ValuesOf<O>
  readonly words: string[]
  /** Whether `--help` was among them. */
  readonly wantsHelp: boolean
}

type Value = string | boolean | number | string[] | undefined

/**
 * `--name value`, `--name=value`, `--flag`, `--flag=false`, `-n value`, `-nvalue`, `-n=value`, `-it`; `--` ends the
 * options. A value may begin with a dash. Names are never abbreviated.
 * @throws invalid_argument for an option that is not there (with the nearest that is), or without its value.
 */
export function parseOptions<O extends Options>(grammar: Grammar<O>, argv: readonly string[]): Parsed<O> {
  const values: Record<string, Value> = {}
  for (const [name, option] of Object.entries(grammar.options)) values[name] = initial(option)
  const words: string[] = []
  let wantsHelp = false
  let at = 0
  const next = () => argv[at++]

  while (at < argv.length) {
    const word = argv[at++] ?? ''
    if (word === '--') {
      words.push(...argv.slice(at))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      words.push(word)
      if (!grammar.stopsEarly) continue
      words.push(...argv.slice(at))
      break
    }
    if (word === '--help') {
      wantsHelp = true
      continue
    }
    if (word.startsWith('--')) readLong(word, next)
    else readShorts(word, next)
  }
  // The table above says of each key what kind its value has; ValuesOf is that table's type.
  return { values: values as ValuesOf<O>, words, wantsHelp }

  function readLong(word: string, nextWord: () => string | undefined): void {
    const equals = word.indexOf('=')
    const given = equals < 0 ? word : word.slice(0, equals)
    const found = findLong(grammar.options, given.slice(2))
    if (found === undefined) throw unknownOption(grammar, given)
    const [name, option] = found
    if (equals >= 0) store(name, option, word.slice(equals + 1), given)
    else if (option.kind === 'flag') values[name] = true
    else store(name, option, required(nextWord(), given), given)
  }

  function readShorts(word: string, nextWord: () => string | undefined): void {
    for (let index = 1; index < word.length; index++) {
      const given = `-${word[index] ?? ''}`
      const found = findShort(grammar.options, word[index] ?? '')
      if (found === undefined) {
        if (given === '-h') wantsHelp = true
        else throw unknownOption(grammar, given, word)
        continue
      }
      const [name, option] = found
      const rest = word.slice(index + 1)
      if (rest.startsWith('=')) return store(name, option, rest.slice(1), given)
      if (option.kind === 'flag') {
        values[name] = true
        continue
      }
      return store(name, option, rest === '' ? required(nextWord(), given) : rest, given)
    }
  }

  function required(value: string | undefined, given: string): string {
    if (value !== undefined) return value
    throw new KagoError('invalid_argument', `option ${given} needs a value`, { hint: seeHelp(grammar.name) })
  }

  function store(name: string, option: Option, value: string, given: string): void {
    if (option.kind === 'text') values[name] = value
    else if (option.kind === 'flag') values[name] = readFlag(value, given)
    else if (option.kind === 'integer') values[name] = readInteger(value, given)
    else values[name] = [...asList(values[name]), value]
  }
}

function initial(option: Option): Value {
  if (option.kind === 'flag') return option.default ?? false
  return option.kind === 'list' ? [] : undefined
}

function asList(value: Value): string[] {
  return Array.isArray(value) ? value : []
}

function findLong(options: Options, name: string): [string, Option] | undefined {
  const direct = Object.hasOwn(options, name) ? options[name] : undefined
  if (direct !== undefined) return [name, direct]
  return Object.entries(options).find(([, option]) => option.aliases?.includes(name))
}

function findShort(options: Options, letter: string): [string, Option] | undefined {
  return Object.entries(options).find(([, option]) => option.short === letter)
}

const truths = new Set(['true', 't', '1', 'TRUE', 'True', 'T'])
const falsehoods = new Set(['false', 'f', '0', 'FALSE', 'False', 'F'])

function readFlag(value: string, given: string): boolean {
  if (truths.has(value)) return true
  if (falsehoods.has(value)) return false
  throw new KagoError('invalid_argument', `option ${given} is true or false, not ${JSON.stringify(value)}`)
}

function readInteger(value: string, given: string): number {
  const number = Number(value)
  if (/^[+-]?\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new KagoError('invalid_argument', `option ${given} is a whole number, not ${JSON.stringify(value)}`)
}

function unknownOption(grammar: Grammar<Options>, given: string, word: string = given): KagoError {
  const inside = word === given ? '' : ` in ${word}`
  const names = Object.entries(grammar.options).flatMap(([name, { isHidden, aliases }]) =>
    isHidden ? [] : [name, ...(aliases ?? [])],
  )
  // `-memory` was meant to be `--memory`.
  const meant = word.length > 2 ? nearest(word.replace(/^-+/, '').replace(/=.*/, ''), names) : undefined
  const suggestion = meant === undefined ? '' : `did you mean --${meant}? `
  return new KagoError('invalid_argument', `unknown option ${given}${inside} for ${grammar.name}`, {
    hint: `${suggestion}${seeHelp(grammar.name)}`,
  })
}

export function seeHelp(name: string): string {
  return `see: ${name} --help`
}
