/**
 * Names of images, in Docker's grammar and with its defaults: `alpine` is `docker.io/library/alpine:latest`.
 *
 *     reference  = name [":" tag] ["@" digest]
 *     name       = [host [":" port] "/"] component *("/" component)
 *     component  = alphanumeric *(separator alphanumeric)      separator = "." | "_" | "__" | 1*"-"
 *     tag        = word *127(word | "." | "-")
 *
 * The first part is a host if it has a dot or a colon or is `localhost`; otherwise the name is Docker Hub's.
 * Two differences from Docker: hosts are put in lower case, because DNS does not tell cases apart, and `Foo/bar` is
 * refused where Docker looks for a host called `Foo`.
 */
import { KagoError } from './errors.ts'
import { type Digest, isDigest } from './oci/digest.ts'

export interface Reference {
  /** The name of the registry: `docker.io`, `localhost:5000`. Not always the host that serves it, see `apiHost`. */
  registry: string
  /** The path in it: `library/alpine`. */
  repository: string
  /** There is a tag, a digest or both; with both, the digest decides. */
  tag?: string
  digest?: Digest
}

/** A repository, with or without something in it that is named. */
export type Repository = Pick<Reference, 'registry' | 'repository'>

export const defaultRegistry = 'docker.io'
export const defaultTag = 'latest'

const textLimit = 4096
const repositoryLimit = 255

// Each of these can match a text in one way only, so they take linear time.
const componentPattern = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/
const tagPattern = /^\w[\w.-]{0,127}$/
const hostPattern = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?$/
const addressPattern = /^\[[0-9a-f:.]{2,45}\](?::\d{1,5})?$/
const imageIdPattern = /^[0-9a-f]{64}$/

/** @throws invalid_argument, with a hint for the usual mistakes. */
export function parseReference(text: string): Reference {
  if (text.length > textLimit) throw refusal(text, `longer than ${textLimit} characters`)
  if (text.trim() === '') throw refusal(text, 'empty')
  if (/\s/.test(text)) throw refusal(text, 'it has white space in it')
  const scheme = /^[a-z]{1,20}:\/\//i.exec(text)?.[0]
  if (scheme !== undefined) throw refusal(text, 'a URL is not a name', `leave out ${scheme}`)
  const { name, tag, digest } = splitSuffixes(text)
  if (digest !== undefined && !isDigest(digest))
    throw refusal(text, 'its digest is wrong', 'a digest is sha256: and 64 lower-case hexadecimal digits')
  if (tag !== undefined && !tagPattern.test(tag))
    throw refusal(text, 'its tag is wrong', 'a tag is up to 128 letters, digits, and _ . - inside')
  if (imageIdPattern.test(name))
    throw refusal(text, 'it is the id of an image', 'a repository cannot be called by 64 hexadecimal digits')
  const { registry, repository } = splitRegistry(name, text)
  checkRepository(repository, text)
  return {
    registry,
    repository,
    ...((tag !== undefined || digest === undefined) && { tag: tag ?? defaultTag }),
    ...(digest !== undefined && { digest }),
  }
}

/** The canonical name, with nothing left out: `docker.io/library/alpine:latest`. */
export function formatReference(reference: Reference): string {
  return `${formatRepository(reference)}${suffix(reference)}`
}

/** The name as a person types it: `alpine:latest`. It parses to the same reference. */
export function familiarReference(reference: Reference): string {
  return `${familiarRepository(reference)}${suffix(reference)}`
}

/** `docker.io/library/alpine` */
export function formatRepository({ registry, repository }: Repository): string {
  return `${registry}/${repository}`
}

/** `alpine` */
export function familiarRepository({ registry, repository }: Repository): string {
  if (registry !== defaultRegistry) return `${registry}/${repository}`
  const short = repository.startsWith('library/') ? repository.slice('library/'.length) : repository
  if (!short.includes('/') && !imageIdPattern.test(short)) return short
  // `docker.io/localhost/x` must not become `localhost/x`, which is another registry's.
  return isHost(repository.slice(0, repository.indexOf('/'))) ? `${registry}/${repository}` : repository
}

/** The host that serves a registry's API: docker.io is a name, not a host. */
export function apiHost(registry: string): string {
  return registry === defaultRegistry ? 'registry-1.docker.io' : registry
}

function splitSuffixes(text: string): {
  name: string
  tag: string | undefined
  digest: string | undefined
} {
  const at = text.indexOf('@')
  const digest = at === -1 ? undefined : text.slice(at + 1)
  const named = at === -1 ? text : text.slice(0, at)
  const colon = named.lastIndexOf(':')
  // A colon before a slash is a port's.
  if (colon === -1 || colon < named.lastIndexOf('/')) return { name: named, tag: undefined, digest }
  return { name: named.slice(0, colon), tag: named.slice(colon + 1), digest }
}

function splitRegistry(name: string, text: string): Repository {
  const slash = name.indexOf('/')
  const first = name.slice(0, slash).toLowerCase()
  if (slash === -1 || !isHost(first)) return onHub(name)
  const isValid = first.startsWith('[') ? addressPattern.test(first) : hostPattern.test(first)
  const port = /:(\d+)$/.exec(first)?.[1]
  if (!isValid || Number(port ?? 1) > 65_535 || Number(port ?? 1) === 0)
    throw refusal(text, 'its registry is not a host name with or without a port')
  const repository = name.slice(slash + 1)
  if (first === defaultRegistry || first === 'index.docker.io') return onHub(repository)
  return { registry: first, repository }
}

function onHub(repository: string): Repository {
  const isOfficial = repository !== '' && !repository.includes('/')
  return { registry: defaultRegistry, repository: isOfficial ? `library/${repository}` : repository }
}

function isHost(first: string): boolean {
  return first.includes('.') || first.includes(':') || first === 'localhost'
}

function checkRepository(repository: string, text: string): void {
  if (repository.length > repositoryLimit)
    throw refusal(text, `its repository is longer than ${repositoryLimit} characters`, 'use a shorter name')
  if (repository !== repository.toLowerCase())
    throw refusal(text, 'a repository is written in lower case', `try: ${suggestion(text)}`)
  if (repository.split('/').every((component) => componentPattern.test(component))) return
  throw refusal(
    text,
    'its repository is wrong',
    'a repository is made of lower-case letters and digits, with single . or _ or any number of - inside, and / between',
  )
}

function suggestion(text: string): string {
  const { name } = splitSuffixes(text)
  return `${name.toLowerCase()}${text.slice(name.length)}`.slice(0, 300)
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function refusal(text: string, reason: string, hint?: string): KagoError {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
  return new KagoError('invalid_argument', `not the name of an image: ${shown}: ${reason}`, { hint })
}
