/** The terminal that kago itself runs in: whether there is one, how large it is, and its raw mode. */
import { isatty } from 'node:tty'
import type { TerminalSize } from '../../shared/protocol/frames.ts'

export function isTerminal(fd: 0 | 1 | 2): boolean {
  return isatty(fd)
}

/** The size of the first of stdout and stderr that is a terminal. */
export function terminalSize(): TerminalSize | undefined {
  const stream = isTerminal(1) ? process.stdout : isTerminal(2) ? process.stderr : undefined
  if (stream === undefined || !(stream.columns > 0) || !(stream.rows > 0)) return undefined
  return { columns: stream.columns, rows: stream.rows }
}

/** Calls back at each change of size. Answers with what stops that. */
export function onResize(callback: (size: TerminalSize) => void): () => void {
  const stream = isTerminal(1) ? process.stdout : process.stderr
  const changed = () => {
    const size = terminalSize()
    if (size !== undefined) callback(size)
  }
  stream.on('resize', changed)
  return () => {
    stream.off('resize', changed)
  }
}

/**
 * Hands every key to the program instead of to the terminal's line editor. Undone by what it answers with, and, should
 * nobody come to call that, when the process exits. A terminal that was stopped and goes on is made raw again.
 */
export function enterRawMode(): () => void {
  if (!isTerminal(0)) return () => {}
  const restore = () => {
    process.stdin.setRawMode(false)
  }
  const again = () => {
    process.stdin.setRawMode(false)
    makeRaw()
  }
  makeRaw()
  process.on('exit', restore)
  if (process.platform !== 'win32') process.on('SIGCONT', again)
  return () => {
    process.off('exit', restore)
    process.off('SIGCONT', again)
    restore()
  }
}

/**
 * Node's raw mode still turns a newline of the output into two characters; to a program that draws on the whole screen
 * it means "down", and nothing else. Leaving raw mode gives back what was before both.
 */
function makeRaw(): void {
  process.stdin.setRawMode(true)
  if (process.platform === 'win32') return
  // Where there is no stty, drawing programs suffer; a shell does not.
  // Loaded here, since few commands have a use for it.
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
}
