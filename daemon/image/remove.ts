/** Removes an image's name, and the image with what only it needed when that was the last one. Docker's rules. */
import { KagoError } from '../../shared/errors.ts'
import { type Operation, operate } from '../operation/operation.ts'
import type { ImageNameRow, ImageRow } from '../state/images.ts'
import { collectBlobs, collectLayers } from './collect.ts'
import { shortId } from '../../shared/id.ts'
import type { ImageContext } from './context.ts'
import { type FoundImage, lookUpImage } from './find.ts'
import { familiarName } from './names.ts'
import { nameUndo } from './undos.ts'

export interface RemovedImage {
  /** Familiar names. */
  untagged: string[]
  /** The image's id, if it is gone. */
  deleted: string[]
  freedBytes: number
}

/**
 * By a name: that name goes; when it was the last one, the image too. By id or digest: all its names and the image.
 * @throws in_use when a container needs the image (`force` overrules stopped ones: names go, the image stays for them), or
 *   when it is named by id and has several names and neither `force` nor `allNames` is given.
 */
export async function removeImage(
  context: ImageContext,
  nameOrId: string,
  { force = false, allNames = force }: { force?: boolean | undefined; allNames?: boolean } = {},
): Promise<RemovedImage> {
  const found = lookUpImage(context, nameOrId)
  const target = found.by === 'name' ? familiarName(found.name) : shortId(found.row.id)
  return await operate(context, { kind: 'image.remove', target }, async (operation) => {
    const rows = context.images.names(found.row.id)
    const names = rows.map(({ name }) => name)
    if (found.by === 'name' && names.length > 1) {
      await removeName(context, operation, found.name)
      return { untagged: [target], deleted: [], freedBytes: 0 }
    }
    checkSeveralNames(found, names, allNames)
    const isNeeded = checkUsers(context, found.row, target, force)
    for (const name of names) await removeName(context, operation, name)
    const untagged = names.map(familiarName)
    if (isNeeded) return { untagged, deleted: [], freedBytes: 0 }
    const freedBytes = await deleteImage(context, operation, found.row, rows)
    return { untagged, deleted: [found.row.id], freedBytes }
  })
}

function checkSeveralNames(found: FoundImage, names: readonly string[], allNames: boolean): void {
  if (found.by === 'name' || names.length < 2 || allNames) return
  const familiar = names.map(familiarName)
  throw new KagoError('in_use', `image ${shortId(found.row.id)} has several names: ${familiar.join(', ')}`, {
    hint: `remove one of the names, or all of it with: kago rmi -f ${shortId(found.row.id)}`,
    details: { names: familiar },
  })
}

/** Whether containers need the image. @throws in_use unless `force` covers all of them. */
function checkUsers(context: ImageContext, row: ImageRow, target: string, force: boolean): boolean {
  if (context.memory.leases.isHeld(row.id)) {
    throw new KagoError(
      'in_use',
      `image ${target} is being used right now by a pull, a save or a new container`,
      {
        hint: 'try again when that has finished',
      },
    )
  }
  const users = context.containers.usersOfImage(row.id)
  const isAlive = ({ id }: { id: string }) =>
    !['created', 'exited', 'lost'].includes(context.containers.find(id)?.state ?? 'lost')
  const alive = users.filter(isAlive)
  const [blocker] = alive.length > 0 ? alive : users
  if (blocker === undefined) return false
  if (force && alive.length === 0) return true
  const blockers = (alive.length > 0 ? alive : users).map(({ name }) => name)
  const list = blockers.length > 5 ? [...blockers.slice(0, 5), '…'] : blockers
  const [kind, hint] =
    alive.length > 0
      ? ['running container', `stop and remove it first: kago rm -f ${blocker.name}`]
      : [
          'container',
          `remove it first: kago rm ${blocker.name}, or only the image's names: kago rmi -f ${target}`,
        ]
  throw new KagoError(
    'in_use',
    `image ${target} is used by ${kind}${blockers.length > 1 ? 's' : ''} ${list.join(', ')}`,
    {
      hint,
      details: { containers: blockers },
    },
  )
}

async function removeName(context: ImageContext, operation: Operation, name: string): Promise<void> {
  await operation.step('remove the name', { by: 'kago.db', undo: nameUndo(context.images, name) }, () => {
    context.images.removeName(name)
  })
  context.events.publish({ type: 'image', action: 'untag', name: familiarName(name) })
}

async function deleteImage(
  context: ImageContext,
  operation: Operation,
  row: ImageRow,
  names: readonly ImageNameRow[],
): Promise<number> {
  const { images, memory } = context
  const digests = new Set([row.id, row.manifestDigest, ...names.map(({ targetDigest }) => targetDigest)])
  for (const { digest } of images.layers(row.id)) digests.add(digest)
  for (const text of images.digests(row.id)) digests.add(digestOf(text))
  return await operation.step(
    'delete the image and what only it needed',
    { by: 'kago.db, rename(2), unlink(2)' },
    async () => {
      images.removeImage(row.id)
      memory.configs.delete(row.id)
      const freed = collectLayers(context)
      context.events.publish({ type: 'image', action: 'remove', name: row.id })
      return freed + (await collectBlobs(context, digests))
    },
  )
}

/** The digest of `repository@digest`. */
function digestOf(text: string): ImageRow['id'] {
  // The table's own column, between checks.
  return text.slice(text.lastIndexOf('@') + 1) as ImageRow['id']
}
