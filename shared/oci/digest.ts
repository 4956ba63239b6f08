/** Digests: the names of bytes. OCI image spec, descriptor.md#digests. Pure syntax; hashing is done where the bytes are. */
import { KagoError } from '../errors.ts'

/** `sha256:` and 64 lower-case hexadecimal digits: the only algorithm kago stores. Checked, so safe in a path or URL. */
export type Digest = `sha256:${string}`

const pattern = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return pattern.test(text)
}

/** @throws invalid_argument, naming the text, if it is not a sha256 digest. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new KagoError('invalid_argument', `not a digest: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: 'a digest is sha256: and 64 lower-case hexadecimal digits',
  })
}

/** The 64 hexadecimal digits. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length)
}
