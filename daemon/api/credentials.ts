/** Registry credentials that come with a request: used for it, kept nowhere. */
import type { IncomingHttpHeaders } from 'node:http'
import { Compile } from 'typebox/compile'
import { KagoError } from '../../shared/errors.ts'
import { registryAuthHeader } from '../../shared/protocol/endpoints.ts'
import { type Credentials, RegistryAuth } from '../../shared/protocol/system.ts'
import { parseReference } from '../../shared/reference.ts'

const compiled = Compile(RegistryAuth)

/** @throws invalid_argument, without quoting any of it. */
export function readCredentials(headers: IncomingHttpHeaders): RegistryAuth | undefined {
  const header = headers[registryAuthHeader]
  if (header === undefined) return undefined
  const value = decode(String(header))
  if (compiled.Check(value)) return value
  throw new KagoError(
    'invalid_argument',
    `the header ${registryAuthHeader} is not base64url of {registry: credentials}`,
  )
}

/** Those for the registry that an image comes from, and for no other. */
export function credentialsFor(auth: RegistryAuth | undefined, image: string): Credentials | undefined {
  if (auth === undefined) return undefined
  const { registry } = parseReference(image)
  return Object.hasOwn(auth, registry) ? auth[registry] : undefined
}

/** Undefined for what is no JSON: the text may hold a password, so no error quotes it. */
function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
