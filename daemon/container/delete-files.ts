/** Deletes what a container has on disk. Whoever deletes all of it has removed the record. */
import { rm } from 'node:fs/promises'
import { removeSmallTree, removeTree } from '../host/files.ts'
import { mountsBelow, readMountTable } from '../host/mount-table.ts'
import { unmount } from '../host/syscalls.ts'
import type { ContainerContext } from './context.ts'

export async function deleteFiles({ paths }: Pick<ContainerContext, 'paths'>, id: string): Promise<void> {
  await deleteBundle({ paths }, id)
  const directory = paths.container(id)
  if (removeSmallTree(directory)) return
  try {
    await rm(directory, { recursive: true, force: true })
  } catch {
    // A container can make trees that are too deep for paths; that takes a program of its own, and its error counts.
    await removeTree(directory)
  }
}

/** The shims of execs that end with the container still write their exits there: then it is tried again. */
export async function deleteBundle({ paths }: Pick<ContainerContext, 'paths'>, id: string): Promise<void> {
  const bundle = paths.bundle(id)
  unmountBelow(bundle)
  if (!removeSmallTree(bundle))
    await rm(bundle, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
}

/**
 * A root that was mounted for the whole machine to see, as a shared bind needs it, is still there, and what is below it is
 * not the bundle's. Every other root went with its shim.
 */
function unmountBelow(bundle: string): void {
  for (const { target } of mountsBelow(readMountTable(), bundle)) unmount(target)
}
