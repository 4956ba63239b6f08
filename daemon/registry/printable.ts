/** Text from strangers, made fit for a terminal and a log. */

// C0, DEL and C1; line and paragraph separators; what turns the direction of text; zero-width and other invisible marks.
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** The same text with every control character written as its escape, cut after `limit` characters. */
export function printable(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  return cut
    .toWellFormed()
    .replace(unprintable, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`)
}
