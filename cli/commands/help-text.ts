/** What `--help` prints, made of the same tables that the parser reads. */
import type { Command } from '../command.ts'
import { globalOptions } from '../options/global.ts'
import type { Option, Options } from '../options/spec.ts'
import { nouns, ownVerbs, verbs } from './table.ts'

export function describeCommand(name: string, summary: string, command: Command<Options>): string {
  const options = describeOptions(command.options)
  return `Usage: ${name} ${command.usage}\n\n${summary}\n${options === '' ? '' : `\nOptions:\n${options}`}`
}

export function describeNoun(noun: string): string {
  const entry = nouns[noun]
  const words = Object.entries(entry?.verbs ?? {}).map(([word, verb]): [string, string] => [
    word,
    verbs[verb].summary,
  ])
  return (
    `Usage: kago ${noun} COMMAND\n\n${entry?.summary ?? ''}\n\nCommands:\n${columns(words)}` +
    `\nMore about one: kago ${noun} COMMAND --help\n`
  )
}

export function describeAll(): string {
  const all = ownVerbs.map(([word, { summary }]): [string, string] => [word, summary])
  const management = Object.entries(nouns).map(([word, { summary }]): [string, string] => [word, summary])
  return (
    'Usage: kago [OPTIONS] COMMAND\n\nContainers that explain themselves\n' +
    `\nCommands:\n${columns(all)}\nManagement commands:\n${columns(management)}` +
    `\nOptions:\n${describeOptions(globalOptions)}\nMore about one: kago COMMAND --help\n`
  )
}

export function describeOptions(options: Options): string {
  const shown = Object.entries(options).filter(([, option]) => option.isHidden !== true)
  return columns(
    shown
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, option]) => [spelling(name, option), summaryOf(option)]),
  )
}

function spelling(name: string, option: Option): string {
  const short = option.short === undefined ? '    ' : `-${option.short}, `
  const aliases = (option.aliases ?? []).map((alias) => `, --${alias}`).join('')
  return `${short}--${name}${aliases}${option.kind === 'flag' ? '' : ` ${option.value}`}`
}

function summaryOf(option: Option): string {
  return option.kind === 'flag' && option.default === true
    ? `${option.summary} (default true)`
    : option.summary
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)) + 2)
  return rows
    .map(([left, right]) => {
      const gap = left.length < width ? ' '.repeat(width - left.length) : `\n  ${' '.repeat(width)}`
      return `  ${left}${gap}${right}\n`
    })
    .join('')
}
