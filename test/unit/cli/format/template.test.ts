import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KagoError } from '../../../../shared/errors.ts'
import { compileTemplate } from '../../../../cli/format/template.ts'

const data = {
  ID: 'abc',
  Names: 'web',
  Count: 3,
  Empty: '',
  Labels: { app: 'x', 'with.dot': 'y' },
  Args: ['sleep', '10'],
  State: { Status: 'running', Pid: 42 },
  Mounts: [{ Source: '/a' }, { Source: '/b' }],
  Label: (key: unknown) => `label:${String(key)}`,
}
const render = (source: string) => compileTemplate(source).render(data)

test('fields are followed', () => {
  expect(render('{{.ID}}\\t{{ .State.Status }} {{.State.Pid}}')).toBe('abc\trunning 42')
  expect(render('{{$.ID}}')).toBe('abc')
})

test('values look as Go prints them', () => {
  expect(render('{{.Args}} {{.Labels}} {{.State.Nothing}}')).toBe(
    '[sleep 10] map[app:x with.dot:y] <no value>',
  )
})

test('functions take arguments and what is piped to them', () => {
  expect(render('{{json .Args}}')).toBe('["sleep","10"]')
  expect(render('{{.Names | upper}} {{upper .Names}} {{title .Names}}')).toBe('WEB WEB Web')
  expect(render('{{join .Args "+"}} {{.Args | len}} {{index .Args 1}}')).toBe('sleep+10 2 10')
  expect(render('{{index .Labels "with.dot"}}')).toBe('y')
  expect(render('[{{pad .ID 1 2}}] {{truncate .ID 2}} {{slice .ID 1}}')).toBe('[ abc  ] ab bc')
  expect(render('{{printf "%-5s|%3d|%q" .ID .Count .Names}}')).toBe('abc  |  3|"web"')
  expect(render('{{.Label "app"}}')).toBe('label:app')
  expect(render('{{(index .Mounts 1).Source}}')).toBe('/b')
  expect(render('{{print (split "a,b" ",")}}')).toBe('[a b]')
})

test('blocks choose and repeat', () => {
  expect(render('{{if .Empty}}a{{else}}b{{end}}')).toBe('b')
  expect(render('{{if eq .State.Status "exited"}}a{{else if gt .Count 2}}b{{else}}c{{end}}')).toBe('b')
  expect(render('{{range .Mounts}}{{.Source}} {{$.ID}};{{end}}')).toBe('/a abc;/b abc;')
  expect(render('{{range .Empty}}a{{else}}none{{end}}')).toBe('none')
  expect(render('{{with .State}}{{.Pid}}{{end}}')).toBe('42')
  expect(render('{{if and .ID (not .Empty)}}yes{{end}}')).toBe('yes')
})

test('white space goes where a dash stands', () => {
  expect(render('a  {{- .ID -}}  b')).toBe('aabcb')
  expect(render('{{/* a comment */}}x')).toBe('x')
})

test('braces may stand in a text', () => {
  expect(render('{{print "}}"}}')).toBe('}}')
})

test('a field that is not there is named, with those that are', () => {
  expect(() => render('{{.Id}}')).toThrow('the format asks for a field that is not there: .Id')
  expect(() => render('{{.constructor}}')).toThrow('not there')
  expect(() => render('{{nope .ID}}')).toThrow('function that is not there: nope')
})

test('what cannot be read is refused', () => {
  for (const bad of [
    '{{',
    '{{.ID',
    '{{}}',
    '{{if .ID}}',
    '{{end}}',
    '{{.ID |}}',
    '{{(.ID}}',
    '{{.ID)}}',
    '{{else}}',
    '{{"x}}',
  ]) {
    expect(() => render(bad)).toThrow('the format cannot be read')
  }
})

test('whatever is written, it renders or is refused as an invalid argument', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '.ID',
    '.',
    ' ',
    '|',
    '(',
    ')',
    'if ',
    'range ',
    'end',
    'else',
    '"',
    'json ',
    '-',
    'x',
    '3',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 15 }), (pieces) => {
      expect(outcome(() => render(pieces.join('')))).toMatch(/^(string|invalid_argument)$/)
    }),
    { numRuns: 500 },
  )
})

function outcome(act: () => unknown): string {
  try {
    return typeof act()
  } catch (error) {
    return error instanceof KagoError ? error.code : String(error)
  }
}

test('text without braces stays as it is', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('{{') && !text.includes('\\')),
      (text) => {
        expect(render(text)).toBe(text)
      },
    ),
  )
})
