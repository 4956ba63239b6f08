/** Shows how many bytes have been copied, on a terminal, once it takes longer than half a second. */
import { formatBytes } from '../../shared/units.ts'
import { printError } from './output.ts'
import { isTerminal } from './tty.ts'

const afterMs = 500
const everyMs = 100

/** @returns ends it, and takes the line away */
export function showByteCount(counted: { readonly bytes: number }, isQuiet: boolean): () => void {
  if (isQuiet || !isTerminal(2)) return () => {}
  let isShown = false
  // Nobody who reads: the command goes on without it.
  const write = (text: string) => void printError(text).catch(() => {})
  const show = () => {
    isShown = true
    write(`\r\x1b[KCopying: ${formatBytes(counted.bytes)}`)
  }
  let timer = setTimeout(() => {
    show()
    timer = setInterval(show, everyMs)
  }, afterMs)
  return () => {
    clearTimeout(timer)
    if (isShown) write('\r\x1b[K')
  }
}
