/** Prints objects the way `--format` asks for: a table, a template's text, or JSON. Pure. */
import { escapeControl, escapeJson } from '../terminal/escape.ts'
import { alignColumns } from './table.ts'
import { compileTemplate } from './template.ts'

/** A row's fields, as the format calls them. Functions are called by the format: `{{.Label "x"}}`. */
export type Row = Readonly<Record<string, unknown>>

export interface Listing {
  /** Field → title of its column. */
  readonly titles: Readonly<Record<string, string>>
  /** What is shown when no format is asked for: `table {{.ID}}\t{{.Names}}`. */
  readonly usual: string
  readonly rows: readonly Row[]
}

export function renderListing({ titles, usual, rows }: Listing, format: string = 'table'): string {
  if (format === 'json') return rows.map((row) => `${escapeJson(JSON.stringify(row))}\n`).join('')
  const wanted = format === 'table' ? usual : format
  const isTable = /^table\s/.test(wanted)
  const template = compileTemplate(isTable ? wanted.replace(/^table\s+/, '') : wanted)
  const lines = rows.map((row) => escapeControl(template.render(row)))
  return isTable
    ? alignColumns([template.renderHeader(titles), ...lines])
    : lines.map((line) => `${line}\n`).join('')
}

/**
 * One object by a template or as JSON. Its own names and Docker's live side by side: own names begin with small
 * letters, Docker's with capitals.
 */
export function renderOne(format: string, own: object, docker: object = {}): string {
  if (format === 'json') return `${escapeJson(JSON.stringify(own))}\n`
  return `${escapeControl(compileTemplate(format).render({ ...docker, ...own }))}\n`
}

/** Readable JSON, harmless to a terminal. */
export function renderJson(value: unknown): string {
  return `${escapeJson(JSON.stringify(value, null, 4))}\n`
}
