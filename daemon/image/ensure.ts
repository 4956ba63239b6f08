/** The image of a container to be made: here already, or pulled. On the path of every `run`, so quick when it is here. */
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import { formatPlatform, parsePlatform, runsOn } from '../../shared/oci/platform.ts'
import { chainIds } from '../snapshot/chain-id.ts'
import type { ImageRow } from '../state/images.ts'
import { readImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import { findImage, tryLookUpImage } from './find.ts'
import { parseImageName } from './names.ts'
import { type PullOptions, pullImage } from './pull.ts'

export interface EnsuredImage {
  row: ImageRow
  config: ImageConfig
  /** Of its layers, the lowest first. */
  chainIds: Digest[]
}

export interface EnsureRequest {
  reference: string
  platform?: string | undefined
  /** `missing` asks no registry when the image is here and made for the platform. */
  pull: 'missing' | 'always' | 'never'
}

/**
 * The image is not held afterwards: whoever records a use of it looks in the same turn whether it is still there.
 * @throws not_found when it is not here and may not be pulled, or not made for the platform that was asked for
 */
export async function ensureImage(
  context: ImageContext,
  request: EnsureRequest,
  options: PullOptions,
): Promise<EnsuredImage> {
  const row = findLocally(context, request) ?? (await pullAndFind(context, request, options))
  const config = await readImageConfig(context, row)
  return { row, config, chainIds: chainIds(config.rootfs.diff_ids) }
}

function findLocally(
  context: ImageContext,
  { reference, platform, pull }: EnsureRequest,
): ImageRow | undefined {
  const found = tryLookUpImage(context, reference)
  // An id means this image: no registry knows it.
  const mayUse = pull !== 'always' || found?.by === 'id'
  const suits = found && (platform === undefined || isFor(found.row, platform))
  if (found && suits && mayUse) return found.row
  if (pull !== 'never' && found?.by !== 'id') return undefined
  const row = findImage(context, reference)
  throw new KagoError(
    'not_found',
    `image ${reference} is here for ${row.platform} only, not for ${platform ?? ''}`,
    {
      hint: `pull it with: kago pull --platform ${platform ?? formatPlatform(context.platform)} ${reference}`,
    },
  )
}

function isFor(row: ImageRow, platform: string): boolean {
  return runsOn(parsePlatform(row.platform), parsePlatform(platform))
}

async function pullAndFind(
  context: ImageContext,
  { reference, platform }: EnsureRequest,
  options: PullOptions,
): Promise<ImageRow> {
  const { id } = await pullImage(
    context,
    { reference: parseImageName(reference).familiar, platform },
    options,
  )
  return findImage(context, id)
}
