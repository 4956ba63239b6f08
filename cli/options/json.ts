/** `--json`, for every command that has a `--format`. */
import type { Command } from '../command.ts'
import { flag, type Options, type ValuesOf } from './spec.ts'

const option = { json: flag('Print JSON: as --format json') }

/** The same command with the option, unless it has one of its own. */
export function withJson(command: Command<Options>): Command<Options> {
  const { options } = command
  if (options['format']?.kind !== 'text' || Object.hasOwn(options, 'json')) return command
  return {
    ...command,
    options: { ...options, ...option },
    run: async (invocation) => {
      const { json, ...values }: Record<string, unknown> = invocation.options
      if (json === true) values['format'] ??= 'json'
      // The parser made them by the same table, with one option more.
      return await command.run({ ...invocation, options: values as ValuesOf<Options> })
    },
  }
}
