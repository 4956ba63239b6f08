/** How a command says which options it takes: plain data, read by the parser, the help and the shell completion. */

interface Common {
  /** One letter, without its dash. */
  readonly short?: string
  /** Other long names that mean the same: `net` for `network`. */
  readonly aliases?: readonly string[]
  /** One line of help. */
  readonly summary: string
  /** Left out of the help; taken, and answered by the command itself. */
  readonly isHidden?: true
}

/** Given or not; `--flag=false` takes it back. */
export interface FlagOption extends Common {
  readonly kind: 'flag'
  readonly default?: boolean
}

/** One value; the last one given counts. */
export interface TextOption extends Common {
  readonly kind: 'text'
  /** What the help calls the value. */
  readonly value: string
}

/** A value each time it is given, in order. */
export interface ListOption extends Common {
  readonly kind: 'list'
  readonly value: string
}

/** A whole number. */
export interface IntegerOption extends Common {
  readonly kind: 'integer'
  readonly value: string
}

export type Option = FlagOption | TextOption | ListOption | IntegerOption

/** Options by their long names. */
export type Options = Readonly<Record<string, Option>>

/** What the parser makes of them: every option has a key. */
export type ValuesOf<O extends Options> = {
  -readonly [K in keyof O]: O[K] extends FlagOption
    ? boolean
    : O[K] extends ListOption
      ? string[]
      : O[K] extends IntegerOption
        ? number | undefined
        : string | undefined
}

type More = Omit<Common, 'summary'>

export function flag(summary: string, more: More & { default?: boolean } = {}): FlagOption {
  return { kind: 'flag', summary, ...more }
}

export function text(value: string, summary: string, more: More = {}): TextOption {
  return { kind: 'text', value, summary, ...more }
}

export function list(value: string, summary: string, more: More = {}): ListOption {
  return { kind: 'list', value, summary, ...more }
}

export function integer(value: string, summary: string, more: More = {}): IntegerOption {
  return { kind: 'integer', value, summary, ...more }
}
