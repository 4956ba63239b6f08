/** Small pieces of text that listings share. Pure. */

/** At most `length` characters, the last of them an ellipsis if something was cut off. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text)
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`
}

/** `2026-01-31 12:00:00 +0000 UTC`. */
export function formatMoment(timestamp: string): string {
  return `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)} +0000 UTC`
}
