/** What a command is: its options as data and the function that does it. One value per file in commands/. */
import type { Client } from './client/client.ts'
import type { Options, ValuesOf } from './options/spec.ts'

export interface Invocation<O extends Options> {
  readonly client: Client
  readonly options: ValuesOf<O>
  /** The words that are no options. */
  readonly words: readonly string[]
  /** For messages: `kago run`. */
  readonly name: string
}

export interface Command<O extends Options = Options> {
  /** What follows the command's name in its usage: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string
  readonly options: O
  readonly words: { readonly min: number; readonly max: number }
  /** Whether what follows the first word belongs to the container's own command. */
  readonly stopsEarly?: boolean
  /** The exit code of a failure that is kago's own; without it the error's own. `run` and `exec` say 125. */
  readonly failureExit?: number
  /** Answers with the exit code; nothing is success. */
  run(invocation: Invocation<O>): Promise<number | undefined>
}

/** Declares a command; keeps the type of its options. */
export function command<const O extends Options>(definition: Command<O>): Command<O> {
  return definition
}
