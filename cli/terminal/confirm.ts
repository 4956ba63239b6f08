/** Asks whether to go on, where somebody can answer. */
import { KagoError } from '../../shared/errors.ts'
import { askLine } from './prompt.ts'
import { isTerminal } from './tty.ts'

/** @throws cancelled for any answer but yes; invalid_argument, with the way to do without, where nobody can be asked */
export async function confirm(question: string, without: string): Promise<void> {
  if (!isTerminal(0)) {
    throw new KagoError('invalid_argument', 'there is no terminal to ask on', {
      hint: `do not ask: ${without}`,
    })
  }
  const answer = await askLine(`${question} [y/N] `, { isSecret: false })
  if (!/^y(es)?$/i.test(answer.trim())) throw new KagoError('cancelled', 'nothing was removed')
}
