/** Reads WWW-Authenticate headers. RFC 9110, section 11.6.1: several challenges may share one header. */

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  scheme: string
  /** Names in lower case. A parameter that came several times (some registries repeat `scope`) has several values. */
  parameters: Map<string, string[]>
}

const headerLimit = 16 * 1024
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const blank = /[ \t]*/y
const separator = /[ \t,]*/y
// Base64 as of `Negotiate abc==`, which is no parameter.
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y

/** All challenges of all headers, in order. What cannot be read ends a header's list; it never throws. */
export function parseChallenges(headers: string[]): Challenge[] {
  return headers.flatMap((header) => (header.length > headerLimit ? [] : parseHeader(header)))
}

function parseHeader(header: string): Challenge[] {
  const challenges: Challenge[] = []
  let position = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position
    const text = pattern.exec(header)?.[0]
    position += text?.length ?? 0
    return text
  }
  take(separator)
  while (position < header.length) {
    const scheme = take(token)
    if (scheme === undefined) break
    const challenge: Challenge = { scheme: scheme.toLowerCase(), parameters: new Map() }
    challenges.push(challenge)
    if (take(blank) === '') {
      take(separator)
      continue
    }
    if (take(token68) !== undefined) {
      take(separator)
      continue
    }
    while (position < header.length) {
      const start = position
      const name = take(token)
      take(blank)
      if (name === undefined || header[position] !== '=') {
        // No parameter: the next challenge's scheme.
        position = start
        break
      }
      position += 1
      take(blank)
      const value = header[position] === '"' ? takeQuoted() : take(token)
      if (value === undefined) return challenges
      const values = challenge.parameters.get(name.toLowerCase()) ?? []
      challenge.parameters.set(name.toLowerCase(), [...values, value])
      take(separator)
    }
  }
  return challenges

  function takeQuoted(): string | undefined {
    let value = ''
    for (let at = position + 1; at < header.length; at += 1) {
      const character = header[at]
      if (character === '"') {
        position = at + 1
        return value
      }
      if (character === '\\') at += 1
      value += header[at] ?? ''
    }
    return undefined
  }
}
