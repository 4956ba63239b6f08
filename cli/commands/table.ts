/** Every command by the words that call it. A command's file is loaded when it is called, never before. */
import type { Command } from '../command.ts'
import type { Options } from '../options/spec.ts'

export interface Entry {
  readonly summary: string
  load(): Promise<Command<Options>>
}

/** A command knows its own options; those who only run it need not. */
function entry<O extends Options>(summary: string, load: () => Promise<{ command: Command<O> }>): Entry {
  return { summary, load: async () => (await load()).command as unknown as Command<Options> }
}

export const verbs = {
  help: entry('Show what kago can do', () => import('./help.ts')),
  run: entry('Create and run a new container', () => import('./run.ts')),
  version: entry('Show the versions of kago and kagod', () => import('./version.ts')),
} as const satisfies Readonly<Record<string, Entry>>

export type Verb = keyof typeof verbs

export interface Noun {
  readonly summary: string
  /** What may follow the noun, and which command it means. */
  readonly verbs: Readonly<Record<string, Verb>>
}

export const nouns: Readonly<Record<string, Noun>> = {
  container: { summary: 'Manage containers', verbs: { run: 'run' } },
}
