/** The filters of `kago images`: `key=value`, all keys must agree, of one key's values any may (labels: all). */
import { KagoError } from '../../shared/errors.ts'
import type { ImageSummary } from '../../shared/protocol/images.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'
import { findImage } from './find.ts'
import { matchesGlob } from './glob.ts'

/** The image as it is to be shown (a reference filter hides the names it does not match), or undefined to leave it out. */
export type Filter = (image: ImageSummary, row: ImageRow) => ImageSummary | undefined

const known = ['dangling', 'label', 'reference', 'before', 'since'] as const

/** @throws invalid_argument naming the known filters; not_found when `before` or `since` names no image. */
export function parseFilters(
  context: Pick<ImageContext, 'images'>,
  { name, filter = [] }: { name?: string | undefined; filter?: readonly string[] | undefined },
): Filter {
  const values = Map.groupBy(filter.map(split), ({ key }) => key)
  const of = (key: (typeof known)[number]) => values.get(key)?.map(({ value }) => value) ?? []
  const tests = [
    ...(name === undefined ? [] : [byReference([name])]),
    ...(of('reference').length > 0 ? [byReference(of('reference'))] : []),
    ...of('dangling').map((value) => byDangling(value)),
    ...of('label').map((value) => byLabel(value)),
    ...of('before').map((value) => byAge(findImage(context, value), -1)),
    ...of('since').map((value) => byAge(findImage(context, value), 1)),
  ]
  return (image, row) =>
    tests.reduce<ImageSummary | undefined>((kept, test) => kept && test(kept, row), image)
}

function split(text: string): { key: (typeof known)[number]; value: string } {
  const at = text.indexOf('=')
  const key = known.find((each) => each === text.slice(0, Math.max(at, 0)))
  if (key === undefined) {
    throw new KagoError('invalid_argument', `not a filter: ${text}`, {
      hint: `filters are KEY=VALUE; known keys: ${known.join(', ')}`,
    })
  }
  return { key, value: text.slice(at + 1) }
}

/** As Docker: a pattern is tried on the whole name and on the name without its tag. */
function byReference(patterns: readonly string[]): Filter {
  const matches = (name: string) => {
    const bare = name.replace(/:[^/:]*$/, '')
    return patterns.some((pattern) => matchesGlob(pattern, name) || matchesGlob(pattern, bare))
  }
  return (image) => {
    const names = image.names.filter(matches)
    return names.length === 0 ? undefined : { ...image, names }
  }
}

function byDangling(value: string): Filter {
  if (value !== 'true' && value !== 'false')
    throw new KagoError('invalid_argument', `dangling is true or false, not ${value}`)
  return (image) => ((image.names.length === 0) === (value === 'true') ? image : undefined)
}

function byLabel(text: string): Filter {
  const [key = '', ...rest] = text.split('=')
  return ({ labels, ...image }) => {
    const isThere = Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='))
    return isThere ? { ...image, labels } : undefined
  }
}

/** By the time of creation that the configs say; an image without one is the oldest. */
function byAge(than: ImageRow, sign: 1 | -1): Filter {
  return (image, row) => (sign * ((row.createdAt ?? 0) - (than.createdAt ?? 0)) > 0 ? image : undefined)
}
