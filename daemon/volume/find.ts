/** A volume by its name. */
import { KagoError } from '../../shared/errors.ts'
import type { VolumeRow } from '../state/volumes.ts'
import type { VolumeContext } from './context.ts'

/** @throws not_found */
export function findVolume({ volumes }: Pick<VolumeContext, 'volumes'>, name: string): VolumeRow {
  const volume = volumes.find(name)
  if (volume !== undefined) return volume
  throw new KagoError('not_found', `no such volume: ${name}`, {
    hint: 'see all of them with: kago volume ls; make one with: kago volume create NAME',
  })
}

/** As Docker's. @throws invalid_argument */
export function checkVolumeName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/.test(name)) return
  throw new KagoError('invalid_argument', `not a name for a volume: ${JSON.stringify(name.slice(0, 300))}`, {
    hint: 'it has letters, digits, "_", "." and "-", begins with a letter or digit, and is 2 to 255 long; a path has a / in it',
  })
}
