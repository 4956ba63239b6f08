/** Volumes as those who ask are told of them: one by one, or as a list narrowed by filters. */
import { KagoError } from '../../shared/errors.ts'
import type { VolumeDetails } from '../../shared/protocol/volumes.ts'
import type { VolumeRow } from '../state/volumes.ts'
import { type VolumeContext, volumeData } from './context.ts'
import { findVolume } from './find.ts'

export function inspectVolume(context: VolumeContext, name: string): VolumeDetails {
  return describe(context, findVolume(context, name))
}

/** By name. Several filters of one key are alternatives, different keys must all hold. */
export function listVolumes(context: VolumeContext, filters: readonly string[] = []): VolumeDetails[] {
  const byKey = parseFilters(filters)
  return context.volumes
    .list()
    .map((row) => describe(context, row))
    .filter((volume) =>
      [...byKey].every(([key, values]) => values.some((value) => filterTable[key]?.(volume, value))),
    )
}

function describe(context: VolumeContext, row: VolumeRow): VolumeDetails {
  return {
    name: row.name,
    createdAt: new Date(row.createdAt).toISOString(),
    path: volumeData(context, row),
    labels: volumeLabels(row),
    anonymous: row.anonymous === 1,
    usedBy: context.volumes.users(row.name).map(({ name }) => name),
  }
}

export function volumeLabels({ labels }: VolumeRow): Record<string, string> {
  // Written by kago itself.
  return JSON.parse(labels) as Record<string, string>
}

type Filter = (volume: VolumeDetails, value: string) => boolean

const filterTable: Readonly<Record<string, Filter>> = {
  name: ({ name }, value) => name.includes(value),
  dangling: ({ usedBy }, value) => (usedBy.length === 0) === (value === 'true' || value === '1'),
  driver: (_volume, value) => value === 'local',
  label: ({ labels }, value) => {
    const at = value.indexOf('=')
    return at < 0 ? Object.hasOwn(labels, value) : labels[value.slice(0, at)] === value.slice(at + 1)
  },
}

/** @throws invalid_argument naming the filters there are. */
function parseFilters(texts: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>()
  for (const text of texts) {
    const at = text.indexOf('=')
    const key = at < 0 ? text : text.slice(0, at)
    if (at < 0 || !Object.hasOwn(filterTable, key)) {
      throw new KagoError('invalid_argument', `no such filter: ${text}`, {
        hint: `a filter is KEY=VALUE with one of ${Object.keys(filterTable).join(', ')}`,
      })
    }
    filters.set(key, [...(filters.get(key) ?? []), text.slice(at + 1)])
  }
  return filters
}
