/** Reads the text of a format into its parts. Pure. */
import { KagoError } from '../../shared/errors.ts'

export type Term =
  | { readonly type: 'value'; readonly value: string | number | boolean | null }
  | { readonly type: 'field'; readonly fromRoot: boolean; readonly path: readonly string[] }
  | { readonly type: 'function'; readonly name: string }
  | { readonly type: 'group'; readonly pipeline: Pipeline; readonly path: readonly string[] }

/** Commands between `|`, each a list of terms. */
export type Pipeline = readonly (readonly Term[])[]

export type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'output'; readonly pipeline: Pipeline }
  | {
      readonly type: 'if' | 'range' | 'with'
      readonly pipeline: Pipeline
      readonly inside: readonly Node[]
      readonly otherwise: readonly Node[]
    }

interface Piece {
  readonly isAction: boolean
  readonly text: string
}

const maxDepth = 100

/** @throws invalid_argument */
export function parseTemplate(source: string): readonly Node[] {
  const pieces = splitActions(source)
  let at = 0
  return parseList(0, [])

  function parseList(depth: number, ends: readonly string[]): Node[] {
    if (depth > maxDepth) throw bad('it is nested too deeply')
    const nodes: Node[] = []
    for (;;) {
      const piece = pieces[at]
      if (piece === undefined) {
        if (ends.length === 0) return nodes
        throw bad('{{end}} is missing')
      }
      const word = piece.isAction ? (/^[a-z]+/.exec(piece.text)?.[0] ?? '') : ''
      if (ends.includes(word)) return nodes
      at++
      if (!piece.isAction) nodes.push({ type: 'text', text: piece.text })
      else if (word === 'if' || word === 'range' || word === 'with')
        nodes.push(parseBlock(word, piece, depth))
      else if (word === 'end' || word === 'else') throw bad(`{{${word}}} has nothing to end`)
      else if (!piece.text.startsWith('/*'))
        nodes.push({ type: 'output', pipeline: parsePipeline(piece.text) })
    }
  }

  function parseBlock(type: 'if' | 'range' | 'with', piece: Piece, depth: number): Node {
    const pipeline = parsePipeline(piece.text.slice(type.length))
    const inside = parseList(depth + 1, ['end', 'else'])
    const closing = pieces[at++]?.text ?? ''
    if (closing === 'end') return { type, pipeline, inside, otherwise: [] }
    const chained = /^else\s+(if\b.*)$/s.exec(closing)?.[1]
    if (chained !== undefined) {
      return {
        type,
        pipeline,
        inside,
        otherwise: [parseBlock('if', { isAction: true, text: chained }, depth + 1)],
      }
    }
    const otherwise = parseList(depth + 1, ['end'])
    at++
    return { type, pipeline, inside, otherwise }
  }
}

/** Text and what stands between `{{` and `}}`; `{{-` and `-}}` take the white space beside them away. */
function splitActions(source: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let trimsNext = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    let text = open < 0 ? source.slice(at) : source.slice(at, open)
    if (trimsNext) text = text.trimStart()
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(source.slice(open, open + 4))
    if (trimsBefore) text = text.trimEnd()
    if (text !== '') pieces.push({ isAction: false, text })
    if (open < 0) break
    const close = findClose(source, open + 2)
    const inside = source.slice(open + 2, close)
    trimsNext = /\s-$/.test(inside)
    const action = inside.slice(trimsBefore ? 1 : 0, trimsNext ? -1 : inside.length).trim()
    if (action === '') throw bad('{{}} says nothing')
    pieces.push({ isAction: true, text: action })
    at = close + 2
  }
  return pieces
}

function findClose(source: string, from: number): number {
  const token = /"(?:[^"\\]|\\.)*"|`[^`]*`|\}\}/gs
  token.lastIndex = from
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    if (match[0] === '}}') return match.index
  }
  throw bad('}} is missing')
}

const tokenPattern =
  /\s*(?:("(?:[^"\\]|\\.)*")|`([^`]*)`|(-?\d+(?:\.\d+)?)|(\$?(?:\.[A-Za-z_][\w]*)+|\$|\.)|([A-Za-z_]\w*)|([|()]))/sy

function parsePipeline(text: string): Pipeline {
  const tokens = tokenize(text)
  let at = 0
  const pipeline = parseUntil(undefined, 0)
  if (at < tokens.length) throw bad(`unexpected ${tokens[at]?.[0] ?? ''}`)
  return pipeline

  function parseUntil(end: string | undefined, depth: number): Pipeline {
    if (depth > maxDepth) throw bad('it is nested too deeply')
    const commands: Term[][] = [[]]
    while (at < tokens.length && tokens[at]?.[6] !== ')') {
      const token = tokens[at++]
      if (token === undefined) break
      if (token[6] === '|') commands.push([])
      else if (token[6] === '(') commands.at(-1)?.push(parseGroup(depth))
      else commands.at(-1)?.push(toTerm(token))
    }
    if (end !== undefined && tokens[at++]?.[6] !== end) throw bad(`${end} is missing`)
    if (commands.some((command) => command.length === 0)) throw bad('a command is missing')
    return commands
  }

  function parseGroup(depth: number): Term {
    const pipeline = parseUntil(')', depth + 1)
    const next = tokens[at]
    const isField = next?.[4]?.startsWith('.') === true && next[4] !== '.' && next.index === 0
    if (isField) at++
    return { type: 'group', pipeline, path: isField ? (next[4] ?? '').split('.').slice(1) : [] }
  }
}

type Token = RegExpExecArray

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let end = 0
  while (text.slice(end).trim() !== '') {
    tokenPattern.lastIndex = end
    const match = tokenPattern.exec(text)
    if (match === null) throw bad(`cannot read ${JSON.stringify(text.slice(end).trim().slice(0, 40))}`)
    end = tokenPattern.lastIndex
    // Whether white space is before it: `(x).Name` is one term, `(x) .Name` are two.
    match.index = match[0] === match[0].trimStart() && tokens.at(-1)?.[6] === ')' ? 0 : 1
    tokens.push(match)
  }
  return tokens
}

function toTerm([, quoted, raw, number, field, word]: Token): Term {
  if (quoted !== undefined) return { type: 'value', value: unquote(quoted) }
  if (raw !== undefined) return { type: 'value', value: raw }
  if (number !== undefined) return { type: 'value', value: Number(number) }
  if (field !== undefined) {
    const fromRoot = field.startsWith('$')
    const path = field.replace(/^\$/, '').split('.').slice(1)
    return { type: 'field', fromRoot, path: path[0] === '' ? [] : path }
  }
  if (word === 'true' || word === 'false') return { type: 'value', value: word === 'true' }
  if (word === 'nil') return { type: 'value', value: null }
  return { type: 'function', name: word ?? '' }
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text.replace(/[\n\t]/g, (character) => (character === '\n' ? '\\n' : '\\t'))))
  } catch (cause) {
    throw bad(`not a text: ${text}`, cause)
  }
}

function bad(reason: string, cause?: unknown): KagoError {
  return new KagoError('invalid_argument', `the format cannot be read: ${reason}`, {
    hint: "an example: --format '{{.ID}} {{.Names}}'",
    cause,
  })
}
