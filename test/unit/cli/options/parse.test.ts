import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseOptions } from '../../../../cli/options/parse.ts'
import { flag, integer, list, text } from '../../../../cli/options/spec.ts'
import { KagoError } from '../../../../shared/errors.ts'

const options = {
  interactive: flag('', { short: 'i' }),
  tty: flag('', { short: 't' }),
  'sig-proxy': flag('', { default: true }),
  name: text('NAME', ''),
  env: list('KEY', '', { short: 'e' }),
  memory: text('BYTES', '', { short: 'm' }),
  network: text('NETWORK', '', { aliases: ['net'] }),
  'cpu-shares': integer('N', '', { short: 'c' }),
  hostname: text('NAME', '', { short: 'h' }),
}
const grammar = { name: 'kago run', options, stopsEarly: true }
const parse = (...argv: string[]) => parseOptions(grammar, argv)

function failure(...argv: string[]): KagoError {
  try {
    parse(...argv)
  } catch (error) {
    if (error instanceof KagoError) return error
    throw error
  }
  throw new Error('nothing was wrong')
}

test('short flags may be written together, the last with a value', () => {
  expect(parse('-itm', '1g', 'x').values).toMatchObject({ interactive: true, tty: true, memory: '1g' })
  expect(parse('-itm1g').values).toMatchObject({ interactive: true, tty: true, memory: '1g' })
  expect(parse('-itm=1g').values).toMatchObject({ memory: '1g' })
})

test('a flag can be taken back, and one that is on by default turned off', () => {
  expect(parse('--sig-proxy=false', '-i=false', '--tty=1').values).toMatchObject({
    'sig-proxy': false,
    interactive: false,
    tty: true,
  })
  expect(parse('--tty', 'false').words).toEqual(['false'])
})

test('what follows the first word belongs to the command, dashes and all', () => {
  const parsed = parse('-i', 'image', 'ls', '-la', '--name', '--', 'x')
  expect(parsed.words).toEqual(['image', 'ls', '-la', '--name', '--', 'x'])
  expect(parsed.values.name).toBeUndefined()
})

test('options may stand after words where a command takes them so', () => {
  const parsed = parseOptions({ name: 'kago rm', options }, ['a', '-i', 'b', '--', '-t'])
  expect(parsed).toMatchObject({ words: ['a', 'b', '-t'], values: { interactive: true, tty: false } })
})

test('a value may begin with a dash, be empty, and hold an equals sign', () => {
  expect(parse('--memory', '-1', '-e', 'A=b=c', '--env=', '-e', '').values).toMatchObject({
    memory: '-1',
    env: ['A=b=c', '', ''],
  })
})

test('a word without a value is told so', () => {
  expect(failure('--name').message).toBe('option --name needs a value')
  expect(failure('-it', '-e').message).toBe('option -e needs a value')
})

test('an unknown option names the nearest and where to look', () => {
  expect(failure('--memroy', '1g')).toMatchObject({
    code: 'invalid_argument',
    message: 'unknown option --memroy for kago run',
    hint: 'did you mean --memory? see: kago run --help',
  })
  expect(failure('--nte=none').hint).toBe('did you mean --net? see: kago run --help')
  expect(failure('-p', '80:80')).toMatchObject({
    message: 'unknown option -p for kago run',
    hint: 'see: kago run --help',
  })
  expect(failure('-ixt').message).toBe('unknown option -x in -ixt for kago run')
})

test('names that every object has are no options', () => {
  expect(failure('--constructor').message).toContain('unknown option')
  expect(failure('--__proto__=1').message).toContain('unknown option')
})

test('-h is help only where it is no other option', () => {
  expect(parse('-h', 'web').values.hostname).toBe('web')
  const other = parseOptions({ name: 'kago ps', options: { all: flag('', { short: 'a' }) } }, ['-ah'])
  expect(other).toMatchObject({ wantsHelp: true, values: { all: true } })
})

test('a whole number is one', () => {
  expect(parse('-c', '512').values['cpu-shares']).toBe(512)
  for (const bad of ['1.5', '1e3', '0x10', '', ' 1', '99999999999999999999']) {
    expect(failure('--cpu-shares', bad).message).toContain('is a whole number')
  }
})

test('the last value counts, and a list keeps its order', () => {
  expect(parse('--name', 'a', '--net', 'x', '--network', 'y', '--name=b').values).toMatchObject({
    name: 'b',
    network: 'y',
  })
})

function outcome(act: () => unknown): string {
  try {
    return typeof act()
  } catch (error) {
    return error instanceof KagoError ? error.code : String(error)
  }
}

describe('whatever is typed', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '-i',
      '-t',
      '-it',
      '--name',
      '--env=A=1',
      '-e',
      '--',
      '-',
      '-m=',
      '--tty=false',
      '--help',
    ),
    fc.string({ maxLength: 12 }),
  )

  test('is read, or refused as an invalid argument', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (argv) => {
        expect(outcome(() => parse(...argv))).toMatch(/^(object|invalid_argument)$/)
      }),
    )
  })

  test('every value comes out as it was given, in each of its spellings', () => {
    const value = fc.string({ maxLength: 20 })
    const spelled = fc.array(
      fc.tuple(value, fc.constantFrom('--env V', '--env=V', '-e V', '-e=V', '-ie V', '-te=V')),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(spelled, fc.array(value, { maxLength: 5 }), (given, rest) => {
        const argv = given.flatMap(([one, spelling]) => {
          const [option = '', separate] = spelling.split(' ')
          return separate === undefined ? [option.replace('V', () => one)] : [option, one]
        })
        const parsed = parse(...argv, 'image', ...rest)
        expect(parsed.values.env).toEqual(given.map(([one]) => one))
        expect(parsed.words).toEqual(['image', ...rest])
      }),
    )
  })
})
