/** Patterns over image names, as Docker's `--filter reference=` has them: Go's path.Match. Linear in time. */

/** `*` is any run without a slash, `?` one character but a slash, `[a-z]` and `[^a-z]` one of a class, `\` quotes. */
export function matchesGlob(pattern: string, text: string): boolean {
  const parts = parse(pattern)
  let part = 0
  let at = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    const here = parts[part]
    const char = text[at] ?? ''
    if (here === 'star') {
      star = part++
      starAt = at
    } else if (here?.(char) === true) {
      part++
      at++
    } else if (star !== -1 && text[starAt] !== '/') {
      // Only the last star has to be tried longer: an earlier one that took less would change nothing.
      part = star + 1
      at = ++starAt
    } else return false
  }
  while (parts[part] === 'star') part++
  return part === parts.length
}

type Part = 'star' | ((char: string) => boolean)

function parse(pattern: string): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === '*') parts.push('star')
    else if (char === '?') parts.push((text) => text !== '/')
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 2)
      if (end === -1) parts.push((text) => text === '[')
      else {
        parts.push(parseClass(pattern.slice(at + 1, end)))
        at = end
      }
    } else {
      const literal = char === '\\' ? pattern[++at] : char
      parts.push((text) => text === literal)
    }
  }
  return parts
}

function parseClass(body: string): Part {
  const isNegated = body.startsWith('^')
  const ranges = [...body.slice(isNegated ? 1 : 0).matchAll(/(.)-(.)|(.)/gsu)].map(
    ([, from, to, single]) => [from ?? single ?? '', to ?? single ?? ''] as const,
  )
  return (char) => char !== '/' && ranges.some(([from, to]) => char >= from && char <= to) !== isNegated
}
