/** Acts on many: all of them, told as they finish, failed at the end if any failed. */
import { toKagoError } from '../../shared/errors.ts'
import { describeError, exitCodeOf } from '../exit.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print, printError, readerGone } from '../terminal/output.ts'

const atOnce = 16

/**
 * Calls `act` for each target, several at once; what it answers are lines of stdout.
 * @returns the exit code: that of the first failure, or 0.
 */
export async function each(
  targets: readonly string[],
  act: (target: string) => Promise<string | readonly string[]>,
): Promise<number> {
  const waiting = [...targets]
  let exit = 0
  const work = async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      try {
        const lines = [await act(target)].flat()
        await print(lines.map((line) => `${escapeLine(line)}\n`).join(''))
      } catch (error) {
        if (error === readerGone) throw error
        await printError(describeError(error))
        if (exit === 0) exit = exitCodeOf(toKagoError(error))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, targets.length) }, work))
  return exit
}
