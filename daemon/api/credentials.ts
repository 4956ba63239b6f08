/** Registry credentials that come with a request: used for it, kept nowhere. */
import type { IncomingHttpHeaders } from 'node:http'
import { Compile } from 'typebox/compile'
import { type Static, Type } from 'typebox'
import { KagoError } from '../../shared/errors.ts'
import { registryAuthHeader } from '../../shared/protocol/endpoints.ts'
import { Credentials } from '../../shared/protocol/system.ts'

const RegistryAuthHeader = Type.Record(Type.String({ maxLength: 255 }), Credentials)
const compiled = Compile(RegistryAuthHeader)

/** @throws invalid_argument, without quoting any of it. */
export function readCredentials(headers: IncomingHttpHeaders): Static<typeof RegistryAuthHeader> | undefined {
  const header = headers[registryAuthHeader]
  if (header === undefined) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(String(header), 'base64url').toString('utf8'))
    if (compiled.Check(value)) return value
  } catch {
    // The same answer as for a value that does not fit: the text may hold a password, so it is not quoted.
  }
  throw new KagoError(
    'invalid_argument',
    `the header ${registryAuthHeader} is not base64url of {registry: credentials}`,
  )
}
