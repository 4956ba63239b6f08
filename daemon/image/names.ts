/** Names as the table of images keeps them (canonical) and as people see them (familiar). */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import {
  familiarReference,
  familiarRepository,
  formatReference,
  formatRepository,
  parseReference,
  type Reference,
} from '../../shared/reference.ts'

export interface ImageName {
  reference: Reference
  /** `docker.io/library/alpine`. */
  repository: string
  familiarRepository: string
  /** What the name is kept under; undefined for a name by digest, which is kept under its repository. */
  canonical: string | undefined
  familiar: string
  digest: Digest | undefined
}

/** A digest decides: with one, the tag beside it is left out. @throws invalid_argument */
export function parseImageName(text: string): ImageName {
  const { registry, repository, tag, digest } = parseReference(text)
  const reference: Reference = {
    registry,
    repository,
    ...(digest === undefined ? tag && { tag } : { digest }),
  }
  return {
    reference,
    repository: formatRepository(reference),
    familiarRepository: familiarRepository(reference),
    canonical: digest === undefined ? formatReference(reference) : undefined,
    familiar: familiarReference(reference),
    digest,
  }
}

/** The name of a repository, for what acts on all of its tags. @throws invalid_argument for one with a tag or digest */
export function parseRepositoryName(text: string): ImageName {
  const name = parseImageName(text)
  // A colon before a slash is a port's.
  if (!/[:@]/.test(text.slice(text.lastIndexOf('/') + 1))) return name
  throw new KagoError('invalid_argument', `all tags are meant, and ${text} names one`, {
    hint: `leave it out: ${name.familiarRepository}`,
  })
}

/** Undefined for what is no name. */
export function tryParseImageName(text: string): ImageName | undefined {
  try {
    return parseImageName(text)
  } catch (error) {
    if (isKagoError(error, 'invalid_argument')) return undefined
    throw error
  }
}

/** A canonical name, or `repository@digest`, as people see it. */
export function familiarName(canonical: string): string {
  return familiarReference(parseReference(canonical))
}
