/** Small files of a container's root, read through its layers without mounting anything. */
import { readFileInLayers } from '../snapshot/read-file.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'

const maxBytes = 1024 * 1024

/** The text at `path` (relative), or undefined if there is no such regular file. */
export async function readRootFile(
  context: ContainerContext,
  container: Container,
  path: string,
): Promise<string | undefined> {
  const directories = context.image.snapshotter.directories(
    context.paths.container(container.id),
    container.record.chainIds,
  )
  const bytes = await readFileInLayers(directories, path, { maxBytes })
  return bytes?.toString('utf8')
}
