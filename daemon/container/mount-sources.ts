/** Where the mounts of a container come from on this machine, now that it starts. */
import { closeSync, fstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Mount } from '../../shared/protocol/containers.ts'
import { errnoCode, fileError } from '../host/files.ts'
import { openBelow, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS } from '../host/syscalls.ts'
import type { ShimMount } from '../shim/launch.ts'
import { volumeData } from '../volume/context.ts'
import type { ContainerContext } from './context.ts'
import { checkBindSource } from './plan-mounts.ts'
import type { Container } from './record.ts'

const O_PATH = 0o10000000

/** The container's mounts, each volume with the path of its files: what is to be in the specification. */
export function mountSources(context: ContainerContext, container: Container): Mount[] {
  const bundle = context.paths.bundle(container.id)
  return container.record.options.mounts.map((mount, index) => {
    if (mount.type === 'bind') {
      prepareBind(mount)
      return mount
    }
    if (mount.type === 'tmpfs') return mount
    const source = mount.subpath === undefined ? dataOf(context, mount) : placeOf(bundle, index)
    return { ...mount, source }
  })
}

/**
 * A part of a volume is mounted by the shim, which opens it below the volume and mounts what it has opened: a container
 * that swaps a directory for a symbolic link meanwhile wins nothing.
 */
export function subpathMounts(context: ContainerContext, container: Container): ShimMount[] {
  return container.record.options.mounts.flatMap((mount, index) => {
    if (mount.type !== 'volume' || mount.subpath === undefined) return []
    const data = dataOf(context, mount)
    makePlace(placeOf(context.paths.bundle(container.id), index), isDirectory(mount, data, mount.subpath))
    const source = `${data}/./${mount.subpath}`
    return [{ type: 'below', source, target: `mounts/${index}`, options: ['rbind'] }]
  })
}

function placeOf(bundle: string, index: number): string {
  return join(bundle, 'mounts', String(index))
}

function makePlace(place: string, asDirectory: boolean): void {
  mkdirSync(asDirectory ? place : join(place, '..'), { recursive: true, mode: 0o700 })
  if (!asDirectory) writeFileSync(place, '')
}

function dataOf({ volume }: ContainerContext, { source = '', target }: Mount): string {
  const row = volume.volumes.find(source)
  if (row !== undefined) return volumeData(volume, row)
  throw new KagoError('not_found', `volume ${source}, to be mounted at ${target}, is gone`, {
    hint: `make it again, empty: kago volume create ${source}`,
  })
}

function isDirectory({ source, target }: Mount, data: string, subpath: string): boolean {
  const base = openSync(data, O_PATH)
  try {
    const found = openBelow(base, subpath, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    try {
      return fstatSync(found).isDirectory()
    } finally {
      closeSync(found)
    }
  } catch (error) {
    const leadsOut = errnoCode(error) === 'EXDEV'
    throw new KagoError(
      'invalid_argument',
      `${subpath}, to be mounted at ${target}, ${leadsOut ? 'leads out of' : 'is not in'} volume ${source ?? ''}`,
      { cause: error },
    )
  } finally {
    closeSync(base)
  }
}

function prepareBind(mount: Mount): void {
  checkBindSource(mount)
  if (mount.createSource !== true || mount.source === undefined) return
  try {
    mkdirSync(mount.source, { recursive: true })
  } catch (error) {
    // A file that is there will do as well.
    if (errnoCode(error) !== 'EEXIST') throw fileError(error, `cannot make ${mount.source}`)
  }
}
