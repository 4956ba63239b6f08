/** The words of an instruction of a Dockerfile: quotes, backslashes, and variables of the environment. Pure. */

/** `a="b c" d\ e` → `['a=b c', 'd e']`; `$A` and `${A}` are looked up, except between single quotes. */
export function splitWords(text: string, variables: ReadonlyMap<string, string> = new Map()): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (quote === "'" ? character === quote : character === quote && quote !== '') quote = ''
    else if (quote === '' && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (character === '\\' && quote !== "'" && at + 1 < text.length)
      word = (word ?? '') + (text[++at] ?? '')
    else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === '$' && quote !== "'") {
      const match = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/.exec(text.slice(at))
      if (match === null) word = `${word ?? ''}$`
      else {
        word = (word ?? '') + (variables.get(match[1] ?? match[2] ?? '') ?? '')
        at += match[0].length - 1
      }
    } else word = (word ?? '') + character
  }
  if (word !== undefined) words.push(word)
  return words
}

/** The JSON form of a command, `["a","b"]`, if it is one. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.every((word) => typeof word === 'string')) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return undefined
}
