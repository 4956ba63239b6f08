/** Pulls every tag of a repository, one after the other. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { PulledImage } from '../../shared/protocol/images.ts'
import type { ImageContext } from './context.ts'
import { parseRepositoryName } from './names.ts'
import { pullImage, type PullOptions, type PullRequest } from './pull.ts'

/** What concerns one tag only; after anything else the next would fail as well. */
const ownFailures = ['not_found', 'not_supported', 'corrupt', 'invalid_argument'] as const
const failuresShown = 10

/**
 * Each is an operation of its own. A tag that cannot be pulled (made for other machines, no image at all) is told and passed
 * over, and fails the whole at the end; the others are there.
 */
export async function pullAllTags(
  context: ImageContext,
  { reference, platform }: PullRequest,
  options: PullOptions,
): Promise<PulledImage[]> {
  const name = parseRepositoryName(reference)
  const { credentials, signal, report } = options
  const tags = await context.registry.listTags(name.reference, { credentials, signal })
  if (tags.length === 0) throw new KagoError('not_found', `${name.familiarRepository} has no tags`)
  const pulled: PulledImage[] = []
  const failed: string[] = []
  let first: KagoError | undefined
  for (const tag of tags) {
    try {
      const one = `${name.repository}:${tag}`
      pulled.push(await pullImage(context, { reference: one, platform }, options))
    } catch (thrown) {
      if (!isKagoError(thrown, ...ownFailures)) throw thrown
      report({ type: 'notice', message: `${tag}: ${thrown.message}` })
      failed.push(tag)
      first ??= thrown
    }
  }
  if (first === undefined) return pulled
  if (tags.length === 1) throw first
  const shown = failed.length > failuresShown ? [...failed.slice(0, failuresShown), '…'] : failed
  const count = `${failed.length} of ${tags.length} tags`
  throw new KagoError(
    first.code,
    `${count} of ${name.familiarRepository} could not be pulled: ${shown.join(', ')}`,
    {
      hint: `the others are here; the first failed with: ${first.message}`,
      details: { failed, pulled: pulled.map((image) => image.reference) },
    },
  )
}
