/** An image by what a person types: a name, a name with a digest, an id, or the beginning of one. */
import { KagoError } from '../../shared/errors.ts'
import { isDigest } from '../../shared/oci/digest.ts'
import type { ImageRow } from '../state/images.ts'
import { shortId } from '../../shared/id.ts'
import type { ImageContext } from './context.ts'
import { type ImageName, parseImageName, tryParseImageName } from './names.ts'

export type FoundImage =
  /** By a name that points at it: `name` is canonical. */
  { by: 'name'; row: ImageRow; name: string } | { by: 'digest' | 'id'; row: ImageRow }

/** @throws not_found; invalid_argument for what is neither a name nor an id, or the beginning of several ids. */
export function findImage(context: Pick<ImageContext, 'images'>, text: string): ImageRow {
  return lookUpImage(context, text).row
}

export function lookUpImage(context: Pick<ImageContext, 'images'>, text: string): FoundImage {
  const found = tryLookUpImage(context, text)
  if (found !== undefined) return found
  const name = isIdLike(text) ? tryParseImageName(text) : parseImageName(text)
  throw new KagoError('not_found', `no such image: ${text}`, {
    hint:
      name === undefined ? 'see all of them with: kago images' : `pull it with: kago pull ${name.familiar}`,
  })
}

/** Undefined if there is none. @throws invalid_argument for the beginning of several ids. */
export function tryLookUpImage(
  { images }: Pick<ImageContext, 'images'>,
  text: string,
): FoundImage | undefined {
  if (isDigest(text)) {
    const row = images.find(text)
    return row && { by: 'id', row }
  }
  const name = tryParseImageName(text)
  return (name && findByName(images, name)) ?? findByIdPrefix(images, text)
}

function findByName(images: ImageContext['images'], name: ImageName): FoundImage | undefined {
  if (name.digest !== undefined) {
    const row = images.findByRepositoryDigest(name.repository, name.digest)
    return row && { by: 'digest', row }
  }
  const { canonical } = name
  const row = canonical === undefined ? undefined : images.findByName(canonical)
  return row && canonical !== undefined ? { by: 'name', row, name: canonical } : undefined
}

function findByIdPrefix(images: ImageContext['images'], text: string): FoundImage | undefined {
  if (!isIdLike(text)) return undefined
  const rows = images.findByIdPrefix(text.replace(/^sha256:/, ''))
  const [row, other] = rows
  if (other !== undefined) {
    throw new KagoError('invalid_argument', `several images have an id that begins with ${text}`, {
      hint: `give more of it: ${rows
        .slice(0, 5)
        .map((each) => shortId(each.id))
        .join(', ')}`,
    })
  }
  return row && { by: 'id', row }
}

function isIdLike(text: string): boolean {
  return /^(sha256:)?[0-9a-f]{1,64}$/.test(text)
}
