/** Checks requests against the contract's schemas; compiled when a route is first used, so that starting stays quick. */
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'

type Part = 'body' | 'querystring' | 'params' | 'headers' | string

/** A fastify validator: the value, or the error that names the key. Query values are turned from text first. */
export function compileValidator(schema: unknown, part: Part) {
  let compiled: Validator | undefined
  // Schemas come from shared/protocol, all made by TypeBox.
  const typed = schema as TSchema & Schema
  return (data: unknown): { value: unknown } | { error: Error } => {
    compiled ??= Compile(typed)
    const value = part === 'querystring' ? readQuery(typed, data) : (data ?? {})
    if (compiled.Check(value)) return { value }
    return { error: describe(compiled, part, value, typed) }
  }
}

interface Schema {
  type?: string
  properties?: Record<string, Schema>
}

/** `?all=true&limit=5&name=a&name=b` by what the schema says each key is. What does not fit stays text and is refused. */
function readQuery(schema: Schema, data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, readQueryValue(schema.properties?.[key]?.type, value)]),
  )
}

function readQueryValue(type: string | undefined, value: unknown): unknown {
  if (type === 'array') return Array.isArray(value) ? value : [value]
  if (typeof value !== 'string') return value
  if (type === 'boolean')
    return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value
  if (type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
  return value
}

function describe(compiled: Validator, part: Part, value: unknown, schema: Schema): KagoError {
  const place = part === 'querystring' ? 'query' : part
  const problems = compiled.Errors(value)
  for (const problem of problems) {
    if (problem.keyword !== 'additionalProperties') continue
    const key = String(problem.params.additionalProperties[0])
    const known = Object.keys(schema.properties ?? {})
    const guess = problem.instancePath === '' ? nearest(key, known) : undefined
    return new KagoError(
      'invalid_argument',
      `unknown key in the ${place}: ${[...pathOf(problem.instancePath), key].join('.')}`,
      {
        hint: guess === undefined ? undefined : `did you mean ${guess}?`,
      },
    )
  }
  const [problem] = problems
  const where = problem === undefined ? '' : pathOf(problem.instancePath).join('.')
  return new KagoError(
    'invalid_argument',
    `${place}${where === '' ? '' : ` ${where}`}: ${problem?.message ?? 'does not fit'}`,
  )
}

function pathOf(pointer: string): string[] {
  return pointer.split('/').slice(1)
}
