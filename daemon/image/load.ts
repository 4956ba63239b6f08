/** Takes in an archive of images: an OCI layout, or what `docker save` writes, plain or compressed. */
import { addAbortSignal, type Readable } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import { shortId } from '../../shared/id.ts'
import { formatPlatform, runsOn } from '../../shared/oci/platform.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { addImage } from './add-image.ts'
import { ArchiveIntake } from './archive-intake.ts'
import { collectBlobs } from './collect.ts'
import type { ImageContext } from './context.ts'
import { showName } from './layer-entry.ts'
import type { JoinOptions } from './layer-work.ts'
import type { LoadedImage } from './loaded-image.ts'
import { parseDockerManifest, readDockerImage } from './load-docker.ts'
import { findOciImages } from './load-oci.ts'
import { familiarName, tryParseImageName } from './names.ts'

/**
 * Names in the archive are given to its images, as Docker does; when that takes one from another image, a notice says so.
 * All of the archive is loaded or nothing. Every id and digest is computed from the bytes.
 * @throws invalid_argument for what is no image archive, corrupt for one that contradicts itself
 */
export async function loadImages(
  context: ImageContext,
  stream: Readable,
  { report, signal }: JoinOptions,
): Promise<{ id: string; names: string[] }[]> {
  addAbortSignal(signal, stream)
  const intake = new ArchiveIntake(context, signal)
  try {
    return await operate(context, { kind: 'image.load', target: 'archive', signal }, async (operation) => {
      await operation.step('take in the archive', { by: 'tar, sha256', shell: 'tar -xf -' }, () =>
        // A request that is destroyed could not be answered any more.
        intake.takeAll(stream.iterator({ destroyOnReturn: false })),
      )
      const images = await findImages(context, intake, report)
      operation.setTarget(
        images.flatMap(({ names }) => names)[0] ?? shortId(images[0]?.manifest.config.digest ?? ''),
      )
      const loaded = []
      for (const image of images) loaded.push(await load(context, operation, image, { report, signal }))
      return loaded
    })
  } finally {
    await intake.close()
    await collectBlobs(context, intake.digests)
  }
}

async function findImages(
  context: ImageContext,
  intake: ArchiveIntake,
  report: Report,
): Promise<LoadedImage[]> {
  const [index, docker] = [intake.document('index.json'), intake.document('manifest.json')]
  if (index === undefined && docker === undefined) {
    throw new KagoError(
      'invalid_argument',
      'the archive is no image archive: it has no index.json and no manifest.json',
      {
        hint: 'kago loads OCI layouts and what docker save writes, as tar archives',
      },
    )
  }
  const items = docker === undefined ? [] : parseDockerManifest(docker)
  let images: LoadedImage[] = []
  if (index === undefined) for (const item of items) images.push(await readDockerImage(context, intake, item))
  else images = addDockerNames(await findOciImages(context, index, report), items)
  if (images.length > 0) return images
  throw new KagoError('invalid_argument', 'the archive holds no image')
}

/** An archive may be both: then the OCI layout has the bytes, and manifest.json may know names that it does not. */
function addDockerNames(images: LoadedImage[], items: ReturnType<typeof parseDockerManifest>): LoadedImage[] {
  for (const { config, names } of items) {
    const hex = /[0-9a-f]{64}/.exec(config)?.[0]
    images.find(({ manifest }) => manifest.config.digest === `sha256:${hex}`)?.names.push(...names)
  }
  return images
}

async function load(
  context: ImageContext,
  operation: Operation,
  image: LoadedImage,
  { report, signal }: JoinOptions,
): Promise<{ id: string; names: string[] }> {
  const { manifest, config } = image
  const id = manifest.config.digest
  const names = canonicalNames(image.names, report)
  const moved = names.flatMap((name) => {
    const before = context.images.findByName(name)
    return before === undefined || before.id === id ? [] : [{ name, before }]
  })
  const added = {
    ...image,
    what: names[0] === undefined ? `image ${shortId(id)}` : familiarName(names[0]),
    names,
    source: () => () => {
      throw new KagoError('corrupt', 'the archive lacks a layer')
    },
    fetchedBy: { by: 'the archive', shell: () => undefined },
  }
  await addImage(context, operation, added, { report, signal })
  for (const { name, before } of moved) {
    const message = `${familiarName(name)} now names ${shortId(id)}; the image it named before is still there as ${shortId(before.id)}`
    report({ type: 'notice', message })
  }
  if (!runsOn(config, context.platform)) {
    const [made, here] = [formatPlatform(config), formatPlatform(context.platform)]
    report({ type: 'notice', message: `${added.what} is made for ${made}, and this machine is ${here}` })
  }
  const familiar = names.map(familiarName)
  for (const name of familiar.length === 0 ? [id] : familiar) {
    context.events.publish({ type: 'image', action: 'load', name })
  }
  return { id, names: familiar }
}

function canonicalNames(names: readonly string[], report: Report): string[] {
  const canonical = new Set<string>()
  for (const name of names) {
    const parsed = tryParseImageName(name)?.canonical
    if (parsed !== undefined) canonical.add(parsed)
    else
      report({
        type: 'notice',
        message: `a name in the archive is not valid and was left out: ${showName(name)}`,
      })
  }
  return [...canonical]
}
