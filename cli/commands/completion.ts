/** `kago completion`: the script that teaches a shell the words of kago. */
import { KagoError } from '../../shared/errors.ts'
import { command as declare } from '../command.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: 'bash|zsh|fish',
  words: { min: 1, max: 1 },
  options: {},
  async run({ words: [shell = ''] }) {
    if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish') {
      throw new KagoError('not_supported', `there is no completion for ${JSON.stringify(shell)}`, {
        hint: 'shells are: bash, zsh, fish',
      })
    }
    const { makeCompletion } = await import('./completion-script.ts')
    await print((await makeCompletion())[shell])
    return undefined
  },
})
