/** Volumes: directories that outlive the containers they are mounted in. */
import { type Static, Type } from 'typebox'
import { closed, StringMap, Timestamp } from './common.ts'
import { route } from './route.ts'

const Name = Type.String({ minLength: 1, maxLength: 255 })
const VolumeParams = closed({ volume: Name })
const Filters = Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 }))

export const VolumeDetails = closed({
  name: Type.String(),
  createdAt: Timestamp,
  /** Of its files, on the daemon's machine. */
  path: Type.String(),
  labels: StringMap,
  /** Made for a container, without a name of its own. */
  anonymous: Type.Boolean(),
  /** Names of the containers that mount it, running or not. */
  usedBy: Type.Array(Type.String()),
})
export type VolumeDetails = Static<typeof VolumeDetails>

const VolumeName = closed({ name: Type.String() })

export const volumeRoutes = {
  'volume.create': route({
    id: 'volume.create',
    summary: 'Make a volume; one that is there already is success',
    body: closed({ name: Type.Optional(Name), labels: Type.Optional(StringMap) }),
    reply: 'json',
    result: VolumeName,
  }),
  'volume.list': route({
    id: 'volume.list',
    summary: 'List volumes, by name',
    query: closed({
      /** `key=value`, as Docker's: name, label, dangling, driver. */
      filter: Filters,
    }),
    reply: 'json',
    result: Type.Array(VolumeDetails),
  }),
  'volume.inspect': route({
    id: 'volume.inspect',
    summary: 'Everything that is known of a volume',
    params: VolumeParams,
    reply: 'json',
    result: VolumeDetails,
  }),
  'volume.remove': route({
    id: 'volume.remove',
    summary: 'Remove a volume that no container mounts, and its files',
    params: VolumeParams,
    reply: 'json',
    result: VolumeName,
  }),
  'volume.rename': route({
    id: 'volume.rename',
    summary: 'Give a volume another name; containers that mount it go on',
    params: VolumeParams,
    body: VolumeName,
    reply: 'json',
    result: VolumeName,
  }),
  'volume.clone': route({
    id: 'volume.clone',
    summary: 'Make a volume with the content of another',
    params: VolumeParams,
    body: VolumeName,
    reply: 'json',
    result: VolumeName,
  }),
} as const
