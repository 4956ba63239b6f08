/** The keys that leave a container without ending it: `ctrl-p,ctrl-q`. */
import { KagoError } from '../../shared/errors.ts'

export const defaultDetachKeys = 'ctrl-p,ctrl-q'

const controls: Record<string, number> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 }

/**
 * A comma-separated list of single characters and `ctrl-X`, X a letter or one of `@ [ \ ] ^ _`.
 * An empty text means that no keys detach.
 * @throws invalid_argument
 */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === '') return new Uint8Array(0)
  return Uint8Array.from(text.split(','), (key) => {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase()
    if (control !== undefined && control >= 'a' && control <= 'z') return control.charCodeAt(0) - 96
    const code = control === undefined ? undefined : controls[control]
    if (code !== undefined) return code
    if (/^[\u0000-\u007f]$/.test(key)) return key.charCodeAt(0)
    throw new KagoError('invalid_argument', `not a key to detach with: ${JSON.stringify(key)}`, {
      hint: 'write a character, or ctrl- and a letter, with commas between: ctrl-p,ctrl-q',
    })
  })
}

/** Watches what is typed for the keys. What only began like them is passed on once it goes another way. */
export class DetachKeys {
  readonly #keys: Uint8Array
  #matched = 0

  constructor(keys: Uint8Array) {
    this.#keys = keys
  }

  /** The bytes to pass on, and whether the keys were complete; after that nothing more is to be sent. */
  take(bytes: Uint8Array): { pass: Uint8Array; isDetached: boolean } {
    if (this.#keys.length === 0) return { pass: bytes, isDetached: false }
    const pass: number[] = []
    for (const byte of bytes) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++
        if (this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), isDetached: true }
        continue
      }
      pass.push(...this.#backtrack(byte))
    }
    return { pass: Uint8Array.from(pass), isDetached: false }
  }

  /** What of the held keys can no longer be the beginning of the sequence. */
  #backtrack(byte: number): number[] {
    const held = [...this.#keys.subarray(0, this.#matched), byte]
    for (let start = 1; start < held.length; start++) {
      const rest = held.slice(start)
      if (rest.every((value, index) => value === this.#keys[index])) {
        this.#matched = rest.length
        return held.slice(0, start)
      }
    }
    this.#matched = 0
    return held
  }

  /** What is held back when the input ends. */
  rest(): Uint8Array {
    return this.#keys.subarray(0, this.#matched)
  }
}
