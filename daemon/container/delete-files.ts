/** Deletes what a container has on disk. Whoever calls it has removed the record. */
import { rm } from 'node:fs/promises'
import { removeTree } from '../host/files.ts'
import type { ContainerContext } from './context.ts'

export async function deleteFiles({ paths }: Pick<ContainerContext, 'paths'>, id: string): Promise<void> {
  await rm(paths.bundle(id), { recursive: true, force: true })
  await removeTree(paths.container(id))
}
