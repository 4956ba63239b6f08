/**
 * Registry credentials on the user's side: looked up for the one registry that an image comes from, and sent along.
 * Order: kago's own file, a credential helper that it or Docker's file names, Docker's file.
 */
import { KagoError } from '../../shared/errors.ts'
import { registryAuthHeader } from '../../shared/protocol/endpoints.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { defaultRegistry, parseReference } from '../../shared/reference.ts'
import { type AuthFile, dockerFile, ownFile, readAuthFile } from './auth-file.ts'

/** The key by which Docker's file and the helpers know the Hub. */
const hubKey = 'https://index.docker.io/v1/'

/** The key under which credentials of a registry are kept. */
export function keyOfRegistry(registry: string): string {
  return registry === defaultRegistry ? hubKey : registry
}

/** What people type for a registry, as kago names it: no scheme, no path, and one name for the Hub. */
export function canonicalRegistry(text: string): string {
  const host = text
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/, '')
    .toLowerCase()
  const isHub = ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io', 'hub.docker.com'].includes(host)
  if (isHub) return defaultRegistry
  if (/^[a-z0-9.-]+(:\d{1,5})?$/.test(host) || /^\[[0-9a-f:.]+\](:\d{1,5})?$/.test(host)) return host
  throw new KagoError('invalid_argument', `not a registry: ${JSON.stringify(text)}`, {
    hint: 'name its host: registry.example.com[:port]',
  })
}

/** The header for requests that may pull these images; none where nothing is known. */
export async function registryHeaders(images: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, Credentials> = {}
  for (const registry of new Set(images.map(registryOf))) {
    const credentials = registry === undefined ? undefined : await findCredentials(registry)
    if (registry !== undefined && credentials !== undefined) found[registry] = credentials
  }
  if (Object.keys(found).length === 0) return {}
  return { [registryAuthHeader]: Buffer.from(JSON.stringify(found)).toString('base64url') }
}

/** Undefined for what is no name of an image; the daemon says what is wrong with it. */
function registryOf(image: string): string | undefined {
  try {
    return parseReference(image).registry
  } catch (error) {
    if (error instanceof KagoError) return undefined
    throw error
  }
}

/** What is known for a registry, or undefined. */
export async function findCredentials(registry: string): Promise<Credentials | undefined> {
  const files = [readAuthFile(ownFile()), readAuthFile(dockerFile())]
  for (const file of files) {
    const helper = helperOf(file, registry)
    if (helper !== undefined) {
      const { askHelper } = await import('./credential-helper.ts')
      const answer = await askHelper(helper, keyOfRegistry(registry))
      if (answer !== undefined) return answer
    }
    const entry = entryOf(file, registry)
    if (entry !== undefined) return entry
  }
  return undefined
}

/** The helper that a file names for a registry: one of its own, or the one for all. */
export function helperOf(file: AuthFile, registry: string): string | undefined {
  return file.credHelpers[keyOfRegistry(registry)] ?? file.credHelpers[registry] ?? file.credsStore
}

/** Keys are hosts or URLs, as older programs wrote them. */
function entryOf(file: AuthFile, registry: string): Credentials | undefined {
  const exact = file.auths[keyOfRegistry(registry)] ?? file.auths[registry]
  if (exact !== undefined) return exact
  const other = Object.entries(file.auths).find(([key]) => hostOf(key) === registry)
  return other?.[1]
}

function hostOf(key: string): string | undefined {
  try {
    return canonicalRegistry(key)
  } catch (error) {
    if (error instanceof KagoError) return undefined
    throw error
  }
}
