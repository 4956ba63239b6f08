/** Makes text from elsewhere harmless: what a registry, an image or a container calls itself must not drive the terminal. */

// C0 but tab and newline, DEL, C1, and the characters that turn the direction of writing.
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Replaces control characters by visible escapes (`\x1b`); newlines and tabs stay. */
export function escapeControl(text: string): string {
  return text.replace(unsafe, escapeCharacter)
}

/** The same for text that must stay on one line and in one cell. */
export function escapeLine(text: string): string {
  return escapeControl(text).replace(/[\n\t]/g, (character) => (character === '\n' ? '\\n' : '\\t'))
}

function escapeCharacter(character: string): string {
  if (character === '\r') return '\\r'
  const code = character.charCodeAt(0)
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** JSON text in which what JSON lets through (DEL, C1, turning characters) is written as escapes too. */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
