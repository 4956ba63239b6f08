/** Small questions to the machine: is a program there, and what does it say. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

export function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The first line that it prints; what went wrong where it fails, since this is for a description only. */
export function ask(argv: readonly string[]): string {
  const [program = '', ...words] = argv
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' })
  const text = status === 0 ? stdout : `unknown (${error?.message ?? stderr})`
  return text.trim().split('\n')[0] ?? ''
}
