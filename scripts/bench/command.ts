/** Runs command lines the way a shell would: no pipe to this process, whose reading would be measured too. */
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Streams {
  /** Files; /dev/null where absent. */
  stdin?: string
  stdout?: string
}

let scratch: string | undefined

/** @throws with the end of its standard error when the status is not 0. */
export async function runQuietly(argv: readonly string[], streams: Streams = {}): Promise<void> {
  const [program = '', ...words] = argv
  scratch ??= mkdtempSync(join(tmpdir(), 'kago-bench-words-'))
  const errors = join(scratch, String(nextNumber()))
  const files = [
    openSync(streams.stdin ?? '/dev/null', 'r'),
    openSync(streams.stdout ?? '/dev/null', 'w'),
    openSync(errors, 'w+'),
  ]
  try {
    const status = await new Promise<string>((resolve, reject) => {
      const child = spawn(program, words, { stdio: files })
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve(String(signal ?? code)))
    })
    if (status !== '0') {
      const words = readFileSync(errors, 'utf8').trim().slice(-500)
      throw new Error(`${argv.join(' ')}: ended with ${status}${words === '' ? '' : `: ${words}`}`)
    }
  } finally {
    for (const file of files) closeSync(file)
  }
}

let number = 0
function nextNumber(): number {
  return (number += 1) % 64
}

/** Runs all of them, at most `limit` at a time. */
export async function runMany(commands: readonly (readonly string[])[], limit: number): Promise<void> {
  const queue = commands.values()
  const workers = Array.from({ length: limit }, async () => {
    for (const argv of queue) await runQuietly(argv)
  })
  await Promise.all(workers)
}
