/** What takes the steps of image verbs back. Each accepts a step that is done, half done or not begun. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { Undo } from '../operation/operation.ts'
import type { ImageTable } from '../state/images.ts'
import { collectLayers, discardUnrecordedLayers } from './collect.ts'
import type { ImageContext } from './context.ts'

type ImageUndo = [name: string, undo: (...args: never[]) => void | Promise<void>]

/** For the table of undos, where the daemon is composed. */
export function imageUndos(context: ImageContext): ImageUndo[] {
  const { containers, images } = context

  /** Gives a name back to the image that had it, or to none. */
  const restoreName = (name: string, before: Digest | null, targetBefore: Digest | null) => {
    if (before === null || targetBefore === null) images.removeName(name)
    else if (images.find(before) !== undefined) images.setName(name, before, targetBefore)
  }

  /** Forgets an image that came with a step, unless somebody found a use for it meanwhile. */
  const uncommit = (
    name: string | null,
    before: Digest | null,
    targetBefore: Digest | null,
    newId: Digest | null,
  ) => {
    if (name !== null) restoreName(name, before, targetBefore)
    if (newId === null || images.names(newId).length > 0 || containers.usersOfImage(newId).length > 0) return
    images.removeImage(newId)
    collectLayers(context)
  }

  const discardLayers = (...chainIds: Digest[]) => {
    collectLayers(context)
    discardUnrecordedLayers(context, chainIds)
  }

  return [
    ['image.restore-name', restoreName],
    ['image.uncommit', uncommit],
    ['layer.discard', discardLayers],
  ]
}

/** Gives a name back to the image it points at now, or to none. */
export function nameUndo(images: ImageTable, name: string): Undo {
  const before = images.findByName(name)
  return ['image.restore-name', name, before?.id ?? null, before?.targetDigest ?? null]
}
