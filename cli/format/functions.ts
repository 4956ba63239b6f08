/** What a format may call, and how values look in text; as Docker's. Pure. */
import { KagoError } from '../../shared/errors.ts'
import { escapeJson } from '../terminal/escape.ts'

export type TemplateFunction = (...values: readonly unknown[]) => unknown

const text = (value: unknown): string => (typeof value === 'string' ? value : show(value))

const maxPadding = 10_000

export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => escapeJson(JSON.stringify(value ?? null)),
  upper: (value) => text(value).toUpperCase(),
  lower: (value) => text(value).toLowerCase(),
  title: (value) => text(value).replace(/(^|\s)\S/g, (letter) => letter.toUpperCase()),
  split: (value, separator) => text(value).split(text(separator)),
  join: (list, separator) => (Array.isArray(list) ? list.map(text).join(text(separator)) : text(list)),
  pad: (value, before, after) =>
    text(value) === '' ? '' : `${spaces(before)}${text(value)}${spaces(after)}`,
  truncate: (value, length) =>
    Array.from(text(value))
      .slice(0, Math.max(0, Number(length)))
      .join(''),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(lookUp, value),
  slice: (value, from, to) =>
    (Array.isArray(value) ? value : text(value)).slice(
      Number(from ?? 0),
      to === undefined ? undefined : Number(to),
    ),
  print: (...values) => values.map(show).join(' '),
  println: (...values) => `${values.map(show).join(' ')}\n`,
  printf: (format, ...values) => printf(text(format), values),
  eq: (first, ...others) => others.some((other) => same(first, other)),
  ne: (first, second) => !same(first, second),
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
}

const leave: TemplateFunction = (value) => value

/** For titles of columns. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  json: leave,
  upper: leave,
  lower: leave,
  title: leave,
  split: leave,
  join: leave,
  pad: leave,
  truncate: leave,
  slice: leave,
  len: leave,
  index: leave,
}

/** Go's idea of truth: what is not empty, zero or nothing. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}

/** A value as text: `[a b]`, `map[k:v]`, `<no value>`. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`
  if (typeof value === 'object') {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `map[${pairs.map(([key, one]) => `${key}:${show(one)}`).join(' ')}]`
  }
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `${value}`
  return '<function>'
}

function spaces(count: unknown): string {
  return ' '.repeat(Math.min(maxPadding, Math.max(0, Math.trunc(Number(count)) || 0)))
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}

function lookUp(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const index = Number(key)
    if (index in value) return value[index]
    throw new KagoError('invalid_argument', `the format asks for item ${text(key)} of ${value.length}`)
  }
  const name = text(key)
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : ''
}

function same(first: unknown, second: unknown): boolean {
  return first === second || (typeof first !== 'object' && show(first) === show(second))
}

function compare(first: unknown, second: unknown): number {
  if (typeof first === 'number' && typeof second === 'number') return first - second
  return show(first) < show(second) ? -1 : show(first) > show(second) ? 1 : 0
}

/** The verbs `%s %v %d %q %t %x %%`, with a width and a minus before it. */
function printf(format: string, values: readonly unknown[]): string {
  let used = 0
  return format.replace(/%(-?)(\d{0,4})(?:\.(\d{1,4}))?([svdqtxf%])/g, (_, minus, width, precision, verb) => {
    if (verb === '%') return '%'
    const value = values[used++]
    let shown = verb === 'q' ? JSON.stringify(text(value)) : show(value)
    if (verb === 'x')
      shown = typeof value === 'number' ? value.toString(16) : Buffer.from(shown).toString('hex')
    if (verb === 'f') shown = Number(value).toFixed(precision === undefined ? 6 : Number(precision))
    else if (precision !== undefined) shown = shown.slice(0, Number(precision))
    return minus === '-' ? shown.padEnd(Number(width)) : shown.padStart(Number(width))
  })
}
