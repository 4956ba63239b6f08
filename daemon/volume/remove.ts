/** Removes a volume that no container mounts. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { removeTree } from '../host/files.ts'
import { operate } from '../operation/operation.ts'
import type { VolumeRow } from '../state/volumes.ts'
import { type VolumeContext, volumeData } from './context.ts'
import { findVolume } from './find.ts'

/** @throws in_use naming the containers */
export async function removeVolume(context: VolumeContext, name: string): Promise<VolumeRow> {
  const volume = findVolume(context, name)
  refuseUsed(context, name)
  await operate(context, { kind: 'volume.remove', target: name }, async (operation) => {
    // In one turn of the loop: nobody mounts what is going. A removal that is cut short is finished, not taken back.
    const undo = ['volume.unmake', name, volume.id] as const
    await operation.step('forget its name', { by: 'kago.db', undo }, () => {
      refuseUsed(context, name)
      context.volumes.remove(name)
    })
    const directory = dirname(volumeData(context, volume))
    await operation.step('delete its files', { by: 'unlink(2)', shell: `rm -rf ${directory}` }, () =>
      deleteVolumeFiles(context, volume.id),
    )
  })
  context.events.publish({ type: 'volume', action: 'remove', id: name })
  return volume
}

export async function deleteVolumeFiles(context: VolumeContext, id: string): Promise<void> {
  const directory = dirname(volumeData(context, { id }))
  try {
    await rm(directory, { recursive: true, force: true })
  } catch {
    // A container can make trees that are too deep for paths; that takes a program of its own, and its error counts.
    await removeTree(directory)
  }
}

function refuseUsed({ volumes }: VolumeContext, name: string): void {
  const users = volumes.users(name)
  if (users.length === 0) return
  const names = users.map((user) => user.name)
  throw new KagoError('in_use', `volume ${name} is used by ${names.join(', ')}`, {
    hint: `remove them first: kago rm ${names.join(' ')}`,
    details: { containers: names },
  })
}
