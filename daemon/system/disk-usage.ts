/** What everything that is kept takes on the disk: from the ledger, not from the disk. */
import type { DiskUsage } from '../../shared/protocol/disk-usage.ts'
import { shortId } from '../../shared/id.ts'
import type { ContainerContext } from '../container/context.ts'
import { isAlive } from '../container/lifecycle.ts'
import { logBytes } from '../container/prune.ts'
import { readContainer } from '../container/record.ts'
import { writableUsage } from '../container/usage.ts'
import { volumeUsage } from '../container/volume-usage.ts'
import { familiarName } from '../image/names.ts'
import { readImageParts } from '../image/parts.ts'

export async function diskUsage(
  context: ContainerContext,
  { verbose = false }: { verbose?: boolean | undefined } = {},
): Promise<DiskUsage> {
  const rows = context.containers.list().map(readContainer)
  const writable = await writableUsage(context, rows)
  const containers = rows.map((row) => ({
    id: row.id,
    name: row.name,
    image: row.record.image.reference,
    state: row.state,
    createdAt: new Date(row.createdAt).toISOString(),
    writableBytes: writable.get(row.id)?.bytes ?? 0,
    isEstimate: writable.get(row.id)?.isEstimate ?? false,
    logBytes: row.startedAt === null ? 0 : logBytes(context, row.id),
  }))
  const stopped = containers.filter(({ state }) => !isAlive(state))
  const sum = (list: typeof containers, key: 'writableBytes' | 'logBytes') =>
    list.reduce((total, one) => total + one[key], 0)
  const images = imageUsage(
    context,
    new Set(rows.map(({ imageId }) => imageId)),
    new Set(rows.flatMap((row) => row.record.chainIds)),
  )
  const volumes = await volumeUsages(context)
  return {
    images: images.total,
    volumes: volumes.total,
    containers: {
      count: containers.length,
      active: containers.length - stopped.length,
      sizeBytes: sum(containers, 'writableBytes'),
      reclaimableBytes: sum(stopped, 'writableBytes'),
      isEstimate: containers.some(({ isEstimate }) => isEstimate),
    },
    logs: {
      count: containers.length,
      active: containers.length - stopped.length,
      sizeBytes: sum(containers, 'logBytes'),
      reclaimableBytes: sum(stopped, 'logBytes'),
    },
    ...(verbose && { imageList: images.list, volumeList: volumes.list, containerList: containers }),
  }
}

async function volumeUsages(
  context: ContainerContext,
): Promise<{ total: DiskUsage['volumes']; list: NonNullable<DiskUsage['volumeList']> }> {
  const rows = context.volume.volumes.list()
  const usage = await volumeUsage(context, rows)
  const states = context.volume.volumes.userStates()
  const list = rows.map(({ id, name }) => ({
    name,
    sizeBytes: usage.get(id)?.bytes ?? 0,
    isEstimate: usage.get(id)?.isEstimate ?? false,
    containers: states.get(name)?.length ?? 0,
  }))
  const sum = (some: typeof list) => some.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
  const unused = list.filter(({ containers }) => containers === 0)
  const total = {
    count: list.length,
    active: list.length - unused.length,
    sizeBytes: sum(list),
    reclaimableBytes: sum(unused),
    isEstimate: list.some(({ isEstimate }) => isEstimate),
  }
  return { total, list }
}

/** What images share is counted once. */
function imageUsage(
  context: ContainerContext,
  usedImages: ReadonlySet<string>,
  usedChains: ReadonlySet<string>,
): { total: DiskUsage['images']; list: NonNullable<DiskUsage['imageList']> } {
  const { images } = context.image
  const parts = readImageParts(context.image)
  const { rows } = parts
  const list = rows.map((row) => {
    const { bytes, sharedBytes } = parts.sizeOf(row.id)
    const names = images.names(row.id).map(({ name }) => familiarName(name))
    return {
      id: row.id,
      names: names.length === 0 ? [shortId(row.id)] : names,
      createdAt: row.createdAt === null ? null : new Date(row.createdAt).toISOString(),
      sizeBytes: bytes,
      sharedBytes,
      uniqueBytes: bytes - sharedBytes,
      containers: context.containers.usersOfImage(row.id).length,
    }
  })
  const unused = new Set<string>(rows.map(({ id }) => id).filter((id) => !usedImages.has(id)))
  return {
    list,
    total: {
      count: rows.length,
      active: rows.length - unused.size,
      sizeBytes: parts.totalBytes,
      reclaimableBytes: parts.freedBy(unused, usedChains),
    },
  }
}
