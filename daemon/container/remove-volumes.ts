/** Takes along the volumes without a name that only a removed container had. */
import { isKagoError } from '../../shared/errors.ts'
import { removeVolume } from '../volume/remove.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'

export async function removeAnonymousVolumes(
  { volume }: Pick<ContainerContext, 'volume'>,
  { record }: Pick<Container, 'record'>,
): Promise<void> {
  for (const { type, source = '' } of record.options.mounts) {
    if (type !== 'volume' || volume.volumes.find(source)?.anonymous !== 1) continue
    try {
      await removeVolume(volume, source)
    } catch (error) {
      // --volumes-from: another container has it too, and takes it along.
      if (!isKagoError(error, 'in_use', 'not_found')) throw error
    }
  }
}
