/** Gives a volume another name, also in the records of the containers that mount it; those that run notice nothing. */
import { KagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import type { VolumeContext } from './context.ts'
import { checkVolumeName, findVolume } from './find.ts'

export async function renameVolume(context: VolumeContext, name: string, to: string): Promise<void> {
  checkVolumeName(to)
  findVolume(context, name)
  if (name === to) return
  await operate(context, { kind: 'volume.rename', target: name }, (operation) =>
    operation.step(`call it ${to}`, { by: 'kago.db' }, () => {
      findVolume(context, name)
      if (context.volumes.rename(name, to)) return
      throw new KagoError('already_exists', `there is a volume ${to} already`, {
        hint: `choose another name, or remove it: kago volume rm ${to}`,
      })
    }),
  )
}
