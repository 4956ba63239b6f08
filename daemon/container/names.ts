/** Names for containers: what may be one, and one for those that come without. */
import { randomInt } from 'node:crypto'
import { KagoError } from '../../shared/errors.ts'

const grammar = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/

/** @throws invalid_argument */
export function checkName(name: string): string {
  if (grammar.test(name)) return name
  throw new KagoError('invalid_argument', `not a container name: ${JSON.stringify(name.slice(0, 140))}`, {
    hint: 'a name has letters, digits, "_", "." and "-", begins with a letter or digit, and is at most 128 long',
  })
}

const qualities =
  'brave calm clever eager fair gentle happy honest keen kind lively lucky merry mild neat noble patient plain proud quick quiet ready sharp silent smart snug sober steady stout subtle sunny swift tidy true vivid warm wise witty'
const makers =
  'bamboo basket bird bough cedar cricket crane ember fern finch firefly heron iris ivy kettle kite lantern lark linnet lotus magpie maple moss oriole owl pine quail raven reed robin sparrow starling swallow thrush tern willow wren'

/** Two words, `swift_heron`; with a number once two words no longer suffice. */
export function randomName(attempt: number): string {
  const pick = (words: string) => {
    const list = words.split(' ')
    return list[randomInt(list.length)]
  }
  const name = `${pick(qualities)}_${pick(makers)}`
  return attempt < 3 ? name : `${name}${randomInt(10 ** Math.min(attempt, 9))}`
}
