/** What takes the steps of image verbs back. Each accepts a step that is done, half done or not begun. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { Undo } from '../operation/operation.ts'
import type { ImageTable } from '../state/images.ts'
import { collectLayers, discardUnrecordedLayers } from './collect.ts'
import type { ImageContext } from './context.ts'

/** For the table of undos, where the daemon is composed. */
export function imageUndos(
  context: ImageContext,
): [name: string, undo: (...args: never[]) => void | Promise<void>][] {
  const { images } = context
  return [
    [
      'image.restore-name',
      (name: string, before: Digest | null, targetBefore: Digest | null) => {
        if (before === null || targetBefore === null) images.removeName(name)
        else if (images.find(before) !== undefined) images.setName(name, before, targetBefore)
      },
    ],
    [
      'image.forget',
      (id: Digest) => {
        if (images.names(id).length > 0 || context.containers.usersOfImage(id).length > 0) return
        images.removeImage(id)
      },
    ],
    [
      'layer.discard',
      (...chainIds: Digest[]) => {
        collectLayers(context)
        discardUnrecordedLayers(context, chainIds)
      },
    ],
  ]
}

/** Gives a name back to the image it points at now, or to none. */
export function nameUndo(images: ImageTable, name: string): Undo {
  const before = images.findByName(name)
  return ['image.restore-name', name, before?.id ?? null, before?.targetDigest ?? null]
}
