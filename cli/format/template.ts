/** A useful part of Go's text/template, because that is what `--format` has in Docker's users' scripts. Pure. */
import { KagoError } from '../../shared/errors.ts'
import { functions, headerFunctions, isTrue, show, type TemplateFunction } from './functions.ts'
import { type Node, parseTemplate, type Pipeline, type Term } from './parse-template.ts'

export interface Template {
  render(data: unknown): string
  /** The same with the columns' titles for data: functions leave them as they are. */
  renderHeader(titles: Readonly<Record<string, string>>): string
}

/**
 * Text with `{{.Field}}`, `{{.A.B}}`, `{{json .}}`, `{{.X | upper}}`, `{{if}}`, `{{range}}`, `{{with}}`, `{{else}}`,
 * `{{end}}`, `{{- -}}`; `\t` and `\n` stand for a tab and a newline. Functions are in functions.ts.
 * @throws invalid_argument for what cannot be read, and when rendering for a field that is not there.
 */
export function compileTemplate(source: string): Template {
  const nodes = parseTemplate(source.replaceAll('\\t', '\t').replaceAll('\\n', '\n'))
  return {
    render: (data) => renderNodes(nodes, { root: data, dot: data, functions }),
    renderHeader: (titles) =>
      renderNodes(nodes, { root: titles, dot: titles, functions: { ...functions, ...headerFunctions } }),
  }
}

interface Scope {
  readonly root: unknown
  readonly dot: unknown
  readonly functions: Readonly<Record<string, TemplateFunction>>
}

function renderNodes(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join('')
}

function renderNode(node: Node, scope: Scope): string {
  switch (node.type) {
    case 'text':
      return node.text
    case 'output':
      return show(evaluate(node.pipeline, scope))
    case 'if':
      return renderNodes(isTrue(evaluate(node.pipeline, scope)) ? node.inside : node.otherwise, scope)
    case 'with': {
      const value = evaluate(node.pipeline, scope)
      return isTrue(value)
        ? renderNodes(node.inside, { ...scope, dot: value })
        : renderNodes(node.otherwise, scope)
    }
    case 'range': {
      const items = itemsOf(evaluate(node.pipeline, scope))
      if (items.length === 0) return renderNodes(node.otherwise, scope)
      return items.map((item) => renderNodes(node.inside, { ...scope, dot: item })).join('')
    }
    default:
      return node satisfies never
  }
}

function itemsOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}

/** Each command's value is the last argument of the next. */
function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  let value: unknown
  pipeline.forEach((terms, index) => {
    value = evaluateCommand(terms, scope, index === 0 ? [] : [value])
  })
  return value
}

function evaluateCommand(terms: readonly Term[], scope: Scope, piped: readonly unknown[]): unknown {
  const [first, ...rest] = terms
  if (first === undefined) return undefined
  if (first.type !== 'function') {
    const value = evaluateTerm(first, scope)
    const values = [...rest.map((term) => evaluateTerm(term, scope)), ...piped]
    if (typeof value === 'function') return Reflect.apply(value, undefined, values)
    if (values.length === 0) return value
    throw new KagoError('invalid_argument', 'the format gives arguments to what is no function')
  }
  return callFunction(first.name, [...rest.map((term) => evaluateTerm(term, scope)), ...piped], scope)
}

function callFunction(name: string, values: readonly unknown[], scope: Scope): unknown {
  const known = Object.hasOwn(scope.functions, name) ? scope.functions[name] : undefined
  if (known !== undefined) return known(...values)
  throw new KagoError('invalid_argument', `the format uses a function that is not there: ${name}`, {
    hint: `functions are: ${Object.keys(functions).join(', ')}`,
  })
}

function evaluateTerm(term: Term, scope: Scope): unknown {
  switch (term.type) {
    case 'value':
      return term.value
    case 'field':
      return follow(term.fromRoot ? scope.root : scope.dot, term.path, scope)
    case 'group':
      return follow(evaluate(term.pipeline, scope), term.path, scope)
    case 'function':
      return callFunction(term.name, [], scope)
    default:
      return term satisfies never
  }
}

function follow(start: unknown, path: readonly string[], scope: Scope): unknown {
  let value = start
  for (const key of path) {
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, key)) {
      value = Reflect.get(value, key)
      continue
    }
    if (value === scope.root && typeof value === 'object' && value !== null) throw noField(key, value)
    return undefined
  }
  return value
}

function noField(key: string, data: object): KagoError {
  return new KagoError('invalid_argument', `the format asks for a field that is not there: .${key}`, {
    hint: `fields are: ${Object.keys(data).join(', ')}`,
  })
}
