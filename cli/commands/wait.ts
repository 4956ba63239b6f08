/** `kago wait`: waits until containers have ended, and prints their exit codes in the order they were named; or until they are ready. */
import { KagoError, toKagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { describeError, exitCodeOf } from '../exit.ts'
import { defined } from '../options/limits.ts'
import { oneOf } from '../options/one-of.ts'
import { text } from '../options/spec.ts'
import { print, printError } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    condition: text(
      'WHAT',
      "Wait until: 'not-running' (the default), 'next-exit', 'removed', 'running' or 'healthy'",
    ),
  },
  async run({ client, options, words }) {
    const condition = oneOf('--condition', options.condition, [
      'not-running',
      'next-exit',
      'removed',
      'running',
      'healthy',
    ] as const)
    const isEnd = condition !== 'running' && condition !== 'healthy'
    const query = defined({ condition })
    const answers = words.map((id) =>
      call(client, 'container.wait', { params: { id }, query }).then(
        ({ exitStatus }) => ({ exitStatus }),
        (error: unknown) => ({ error }),
      ),
    )
    let exit = 0
    for (const [index, answer] of answers.entries()) {
      const ended = await answer
      if ('exitStatus' in ended && ended.exitStatus !== null) {
        await print(`${ended.exitStatus}\n`)
        continue
      }
      if ('exitStatus' in ended && !isEnd) continue
      const error = 'error' in ended ? toKagoError(ended.error) : unknownStatus(words[index] ?? '')
      await printError(describeError(error))
      if (exit === 0) exit = exitCodeOf(error)
    }
    return exit
  },
})

function unknownStatus(id: string): KagoError {
  return new KagoError('wrong_state', `nobody knows how container ${id} ended`, {
    hint: `what is known: kago inspect ${id}`,
  })
}
