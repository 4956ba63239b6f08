/** A person at a terminal: starts a program in one, reads what it shows, types, resizes. */
import { spawn } from 'node-pty'

export interface Terminal {
  /** Everything shown so far. */
  readonly shown: string
  /** What was shown since the last `type` or `clear`. */
  readonly fresh: string
  type(text: string): void
  clear(): void
  resize(columns: number, rows: number): void
  signal(name: string): void
  /** Resolves with what was shown since the last `type` once it matches; rejects after a while. */
  until(pattern: RegExp): Promise<string>
  readonly exited: Promise<{ exitCode: number; signal: number | undefined }>
}

const patienceMs = 10_000

export function openTerminal(
  file: string,
  args: readonly string[],
  options: { env: Record<string, string>; columns?: number; rows?: number },
): Terminal {
  const child = spawn(file, [...args], {
    name: 'xterm-256color',
    cols: options.columns ?? 80,
    rows: options.rows ?? 24,
    env: options.env,
    encoding: null,
  })
  let shown = ''
  let mark = 0
  const listeners = new Set<() => void>()
  child.onData((data: string | Buffer) => {
    shown += data.toString()
    for (const listener of listeners) listener()
  })
  return {
    get shown() {
      return shown
    },
    get fresh() {
      return shown.slice(mark)
    },
    type(text) {
      mark = shown.length
      child.write(text)
    },
    clear() {
      mark = shown.length
    },
    resize(columns, rows) {
      child.resize(columns, rows)
    },
    signal(name) {
      child.kill(name)
    },
    until(pattern) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          listeners.delete(look)
          reject(new Error(`never shown: ${pattern}; shown since: ${JSON.stringify(shown.slice(mark))}`))
        }, patienceMs)
        const look = () => {
          const fresh = shown.slice(mark)
          if (!pattern.test(fresh)) return
          clearTimeout(timer)
          listeners.delete(look)
          resolve(fresh)
        }
        listeners.add(look)
        look()
      })
    },
    exited: new Promise((resolve) => {
      child.onExit(({ exitCode, signal }) => {
        resolve({ exitCode, signal })
      })
    }),
  }
}
