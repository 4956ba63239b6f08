/** Deletes what a container has on disk. Whoever calls it has removed the record. */
import { rm } from 'node:fs/promises'
import { removeTree } from '../host/files.ts'
import type { ContainerContext } from './context.ts'

export async function deleteFiles({ paths }: Pick<ContainerContext, 'paths'>, id: string): Promise<void> {
  await rm(paths.bundle(id), { recursive: true, force: true })
  const directory = paths.container(id)
  try {
    await rm(directory, { recursive: true, force: true })
  } catch {
    // A container can make trees that are too deep for paths; that takes a program of its own, and its error counts.
    await removeTree(directory)
  }
}
