/** What a request and an image say of mounts, looked up: which volumes are used, which are to be made, what is bound. */
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { posix } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { CreateBody, Mount } from '../../shared/protocol/containers.ts'
import type { NewVolume } from '../volume/create.ts'
import { checkVolumeName } from '../volume/find.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'

export interface PlannedMounts {
  /** Of the container: every volume by its name. */
  mounts: Mount[]
  toMake: NewVolume[]
  /** Volumes that get what the image has at their place, if they are empty. */
  toFill: { name: string; target: string }[]
}

/** @throws invalid_argument, not_found */
export function planMounts(
  context: ContainerContext,
  id: string,
  body: CreateBody,
  image: ImageConfig,
): PlannedMounts {
  const plan: PlannedMounts = { mounts: [], toMake: [], toFill: [] }
  const taken = new Set(body.tmpfs?.map(({ target }) => clean(target)))
  const owner = body.autoRemove === true ? id : undefined
  const add = (mount: Mount) => {
    taken.add(clean(mount.target))
    plan.mounts.push(mount.type === 'volume' ? planVolume(context, plan, mount, owner) : mount)
  }
  for (const mount of body.mounts ?? []) {
    checkMount(mount)
    add(mount)
  }
  for (const text of body.volumesFrom ?? []) {
    for (const mount of mountsOf(context, text)) {
      if (taken.has(clean(mount.target))) continue
      taken.add(clean(mount.target))
      plan.mounts.push(mount)
    }
  }
  for (const target of Object.keys(image.config.Volumes ?? {})) {
    if (!taken.has(clean(target))) add({ type: 'volume', target: clean(target) })
  }
  return plan
}

function clean(target: string): string {
  return posix.normalize(`/${target}`).replace(/(.)\/+$/, '$1')
}

function planVolume(
  { volume: { volumes } }: ContainerContext,
  plan: PlannedMounts,
  { volumeLabels: labels, ...mount }: Mount,
  owner: string | undefined,
): Mount {
  const isAnonymous = mount.source === undefined
  const name = mount.source ?? randomBytes(32).toString('hex')
  checkVolumeName(name)
  if (volumes.find(name) === undefined && !plan.toMake.some((other) => other.name === name))
    plan.toMake.push({ name, labels, isAnonymous, owner: isAnonymous ? owner : undefined })
  if (mount.noCopy !== true && mount.subpath === undefined) plan.toFill.push({ name, target: mount.target })
  return { ...mount, source: name }
}

/** What belongs to one type of mount only. */
const keysOf = {
  bind: ['propagation', 'recursive', 'createSource'],
  tmpfs: ['sizeBytes', 'mode'],
  volume: ['noCopy', 'subpath', 'volumeLabels'],
} as const satisfies Record<Mount['type'], readonly (keyof Mount)[]>

function checkMount(mount: Mount): void {
  for (const [type, keys] of Object.entries(keysOf)) {
    const wrong = type === mount.type ? undefined : keys.find((key) => mount[key] !== undefined)
    if (wrong !== undefined)
      throw new KagoError('invalid_argument', `the ${mount.type} at ${mount.target} has no ${wrong}`)
  }
  if (mount.type === 'tmpfs' && mount.source !== undefined)
    throw new KagoError('invalid_argument', `the tmpfs at ${mount.target} has no source`)
  if (mount.type === 'bind') checkBindSource(mount)
}

/** That it is there; also asked at each start, which may be long after the creation. */
export function checkBindSource({ source = '', target, createSource }: Mount): void {
  if (createSource === true || !source.startsWith('/')) return
  if (statSync(source, { throwIfNoEntry: false }) !== undefined) return
  throw new KagoError(
    'invalid_argument',
    `${source}, to be mounted at ${target}, is not on the daemon's machine`,
    {
      hint: `make it first, or have it made as an empty directory: --create-bind-source`,
      details: { source, target },
    },
  )
}

/** `NAME[:ro|rw]` of --volumes-from. */
function mountsOf(context: ContainerContext, text: string): Mount[] {
  const [name = '', mode] = text.split(':')
  if (mode !== undefined && mode !== 'ro' && mode !== 'rw') {
    throw new KagoError('invalid_argument', `--volumes-from ${text}: ${mode} is neither ro nor rw`)
  }
  const { record } = findContainer(context, name)
  return record.options.mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map((mount) => (mode === undefined ? mount : { ...mount, readOnly: mode === 'ro' }))
}
