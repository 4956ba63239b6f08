/** Asks the user a question on the terminal: a name, or a password that is not shown. */
import { KagoError } from '../../shared/errors.ts'
import { printError } from './output.ts'
import { isTerminal } from './tty.ts'

const maxAnswer = 64 * 1024

/** One line. With `isSecret` nothing of it appears. @throws cancelled on ctrl-c. */
export async function askLine(question: string, { isSecret }: { isSecret: boolean }): Promise<string> {
  if (!isTerminal(0)) {
    throw new KagoError('invalid_argument', 'there is no terminal to ask for a name and a password on', {
      hint: 'give them so: kago login --username USER --password-stdin <FILE',
    })
  }
  const { stdin } = process
  if (isSecret) stdin.setRawMode(true)
  const restore = () => {
    stdin.setRawMode(false)
  }
  process.on('exit', restore)
  try {
    await printError(question)
    return await readLine(isSecret)
  } finally {
    process.off('exit', restore)
    restore()
    stdin.pause()
    if (isSecret) await printError('\n')
  }
}

function readLine(isRaw: boolean): Promise<string> {
  const { stdin } = process
  return new Promise((resolve, reject) => {
    let line = ''
    const done = (act: () => void) => {
      stdin.off('data', take)
      stdin.off('end', ended)
      act()
    }
    const ended = () => {
      done(() => {
        reject(new KagoError('cancelled', 'cancelled'))
      })
    }
    const take = (chunk: Buffer) => {
      for (const character of chunk.toString('utf8')) {
        if (character === '\r' || character === '\n') {
          done(() => {
            resolve(line)
          })
          return
        }
        if (isRaw && (character === '\u0003' || (character === '\u0004' && line === ''))) {
          ended()
          return
        }
        if (isRaw && (character === '\u007f' || character === '\b'))
          line = Array.from(line).slice(0, -1).join('')
        else if (line.length < maxAnswer) line += character
      }
    }
    stdin.on('data', take)
    stdin.on('end', ended)
    stdin.resume()
  })
}

/** All of stdin, for a secret that is piped in. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxAnswer) throw new KagoError('invalid_argument', `stdin holds more than ${maxAnswer} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
