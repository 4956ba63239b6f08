/** Whether and how kago colours its own words. */

const colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** Never where nobody looks at it, nor where nobody wants it (no-color.org). */
export function usesColour(
  stream: { isTTY?: boolean } = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  return stream.isTTY === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
}

/** The text in the colour of a place in a list. */
export function inColour(text: string, index: number): string {
  return `\u001b[${colours[index % colours.length] ?? 36}m${text}\u001b[0m`
}
