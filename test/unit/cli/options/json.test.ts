import { expect, test } from 'vitest'
import { type Command, command } from '../../../../cli/command.ts'
import { withJson } from '../../../../cli/options/json.ts'
import { flag, type Options, text, type ValuesOf } from '../../../../cli/options/spec.ts'

/** A command that writes down the format it was given. */
function asking(options: Options): { formats: unknown[]; command: Command<Options> } {
  const formats: unknown[] = []
  const made = command({
    usage: '',
    words: { min: 0, max: 0 },
    options,
    run: async ({ options: values }) => {
      formats.push(values['format'])
      return undefined
    },
  })
  return { formats, command: withJson(made) }
}

const run = async ({ command: made }: { command: Command<Options> }, options: object) =>
  await made.run({
    client: { address: { socketPath: '/' } },
    words: [],
    name: 'kago x',
    options: options as ValuesOf<Options>,
  })

test('--json is --format json; a format that is given counts', async () => {
  const one = asking({ format: text('FORMAT', 'how') })
  expect(one.command.options['json']?.summary).toContain('--format json')
  await run(one, { json: true, format: undefined })
  await run(one, { json: false, format: undefined })
  await run(one, { json: true, format: '{{.ID}}' })
  expect(one.formats).toEqual(['json', undefined, '{{.ID}}'])
})

test('a command without a format, or with an own --json, stays as it is', () => {
  expect(asking({}).command.options).toEqual({})
  const own = { format: text('FORMAT', 'how'), json: flag('its own') }
  expect(asking(own).command.options).toBe(own)
})
