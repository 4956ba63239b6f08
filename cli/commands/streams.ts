/** Which of a container's streams a user wants: `--attach stdin --attach stdout`. */
import { KagoError } from '../../shared/errors.ts'
import { isTerminal } from '../terminal/tty.ts'

export interface Streams {
  readonly stdin: boolean
  readonly hides: { readonly stdout?: boolean; readonly stderr?: boolean }
}

/** Without `--attach`: stdin if it is kept open, and all output. */
export function parseStreams(attach: readonly string[], isInteractive: boolean): Streams {
  if (attach.length === 0) return { stdin: isInteractive, hides: {} }
  const wanted = new Set(attach.map((name) => name.toLowerCase()))
  for (const name of wanted) {
    if (!['stdin', 'stdout', 'stderr'].includes(name)) {
      throw new KagoError('invalid_argument', `--attach: there is no stream ${JSON.stringify(name)}`, {
        hint: 'streams are: stdin, stdout, stderr',
      })
    }
  }
  return {
    stdin: wanted.has('stdin'),
    hides: { stdout: !wanted.has('stdout'), stderr: !wanted.has('stderr') },
  }
}

/** A container's terminal needs one here to be typed at. */
export function requireTerminal(): void {
  if (isTerminal(0)) return
  throw new KagoError('invalid_argument', 'the input device is not a TTY', {
    hint: 'leave out -t when stdin is a pipe or a file',
  })
}
