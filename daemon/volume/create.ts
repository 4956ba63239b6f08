/** Makes a volume: its directory, then its name. */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { fileError, syncDirectory } from '../host/files.ts'
import { type Operation, operate } from '../operation/operation.ts'
import type { VolumeRow } from '../state/volumes.ts'
import { type VolumeContext, volumeData } from './context.ts'
import { checkVolumeName } from './find.ts'

export interface NewVolume {
  /** Without one it is anonymous. */
  name?: string | undefined
  /** Its name was made for it. */
  isAnonymous?: boolean | undefined
  labels?: Record<string, string> | undefined
  /** The container that takes it along when it removes itself. */
  owner?: string | undefined
}

/** One that is there already is success, as long as it was not asked to have other labels. */
export async function createVolume(context: VolumeContext, asked: NewVolume): Promise<VolumeRow> {
  const { name, labels } = asked
  if (name !== undefined) {
    checkVolumeName(name)
    const existing = context.volumes.find(name)
    if (existing !== undefined) return withSameLabels(existing, labels)
  }
  const about = { kind: 'volume.create', target: name ?? 'a volume without a name' }
  return await operate(context, about, (operation) => createVolumeStep(context, operation, asked))
}

export async function createVolumeStep(
  context: VolumeContext,
  operation: Operation,
  { name, labels = {}, isAnonymous = name === undefined, owner }: NewVolume,
): Promise<VolumeRow> {
  const row: VolumeRow = {
    name: name ?? randomBytes(32).toString('hex'),
    id: randomBytes(16).toString('hex'),
    createdAt: Date.now(),
    labels: JSON.stringify(labels),
    anonymous: isAnonymous ? 1 : 0,
    owner: owner ?? null,
    filling: 0,
  }
  const data = volumeData(context, row)
  await operation.step(
    `make the volume ${row.name.slice(0, 64)}`,
    { by: 'mkdir(2)', shell: `mkdir -p ${data}`, undo: ['volume.unmake', row.name, row.id] },
    async () => {
      makeDirectory(data)
      if (row.anonymous === 0) await syncDirectory(dirname(dirname(data)))
      if (!context.volumes.insert(row))
        throw new KagoError('already_exists', `a volume ${row.name} was made meanwhile`, {
          hint: 'try again',
        })
    },
  )
  context.events.publish({ type: 'volume', action: 'create', id: row.name })
  return row
}

function makeDirectory(data: string): void {
  try {
    mkdirSync(dirname(data), { recursive: true, mode: 0o700 })
    mkdirSync(data, { mode: 0o755 })
  } catch (error) {
    throw fileError(error, `cannot make the directory ${data}`)
  }
}

function withSameLabels(volume: VolumeRow, labels: Record<string, string> | undefined): VolumeRow {
  const own = JSON.parse(volume.labels) as Record<string, string>
  const other = Object.entries(labels ?? {}).find(([key, value]) => own[key] !== value)
  if (other === undefined) return volume
  throw new KagoError(
    'already_exists',
    `there is a volume ${volume.name} already, without the label ${other[0]}=${other[1]}`,
    { hint: 'labels cannot be changed; choose another name, or remove it first' },
  )
}
