/** What the daemon does about volumes when it starts: what nobody can name any more goes. A second call changes nothing. */
import { mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { VolumeContext } from './context.ts'
import { deleteVolumeFiles } from './remove.ts'

/** Containers have been restored before. */
export async function restoreVolumes(context: VolumeContext): Promise<void> {
  mkdirSync(context.paths.volumes, { recursive: true, mode: 0o700 })
  for (const { name } of context.volumes.orphans()) {
    if (context.volumes.users(name).length === 0) context.volumes.remove(name)
  }
  const known = new Set(context.volumes.list().map(({ id }) => id))
  for (const id of await readdir(context.paths.volumes)) {
    if (known.has(id)) continue
    context.log.info({ volume: id }, 'swept')
    await deleteVolumeFiles(context, id)
  }
}
