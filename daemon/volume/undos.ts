/** What takes the steps of volume operations back. Each accepts a step that was done, half done or not begun. */
import type { VolumeContext } from './context.ts'
import { deleteVolumeFiles } from './remove.ts'

export function volumeUndos(context: VolumeContext): [string, (name: string, id: string) => Promise<void>][] {
  return [['volume.unmake', (name, id) => unmake(context, name, id)]]
}

/** Somebody else may have the name by now, or mount it. */
async function unmake(context: VolumeContext, name: string, id: string): Promise<void> {
  const row = context.volumes.find(name)
  if (row?.id === id) {
    if (context.volumes.users(name).length > 0) return
    context.volumes.remove(name)
  }
  await deleteVolumeFiles(context, id)
}
