/** What everything that is kept takes on the disk: from the ledger, not from the disk. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCode } from '../host/files.ts'
import type { DiskUsage } from '../../shared/protocol/disk-usage.ts'
import { shortId } from '../../shared/id.ts'
import type { ContainerContext } from '../container/context.ts'
import { isAlive } from '../container/lifecycle.ts'
import { readContainer } from '../container/record.ts'
import { writableUsage } from '../container/usage.ts'
import { familiarName } from '../image/names.ts'
import type { ImageRow } from '../state/images.ts'

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
    logBytes: bytesIn(context.paths.log(row.id)),
  }))
  const stopped = containers.filter(({ state }) => !isAlive(state))
  const sum = (list: typeof containers, key: 'writableBytes' | 'logBytes') =>
    list.reduce((total, one) => total + one[key], 0)
  const images = imageUsage(
    context,
    new Set(rows.map(({ imageId }) => imageId)),
    new Set(rows.flatMap((row) => row.record.chainIds)),
  )
  return {
    images: images.total,
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
    ...(verbose && { imageList: images.list, containerList: containers }),
  }
}

/** Trees of layers and the bytes they came as; what images share is counted once. */
function imageUsage(
  context: ContainerContext,
  usedImages: ReadonlySet<string>,
  usedChains: ReadonlySet<string>,
) {
  const { images } = context.image
  const rows = images.list()
  const holders = new Map<string, Set<string>>()
  const sizes = new Map<string, number>()
  const parts = new Map<string, string[]>()
  for (const row of rows) {
    const own: string[] = []
    const hold = (key: string, bytes: number) => {
      own.push(key)
      sizes.set(key, bytes)
      const users = holders.get(key) ?? new Set()
      holders.set(key, users.add(row.id))
    }
    for (const { chainId, digest, sizeBytes, blobBytes } of images.layers(row.id)) {
      hold(chainId, sizeBytes)
      hold(`blob ${digest}`, blobBytes)
    }
    for (const digest of documentsOf(context, row)) hold(`blob ${digest}`, documentBytes(context, digest))
    parts.set(row.id, own)
  }
  const total = (keys: Iterable<string>) => [...keys].reduce((bytes, key) => bytes + (sizes.get(key) ?? 0), 0)
  const isFree = (key: string) =>
    !usedChains.has(key) && [...(holders.get(key) ?? [])].every((image) => !usedImages.has(image))
  const list = rows.map((row) => {
    const own = parts.get(row.id) ?? []
    const shared = total(own.filter((key) => (holders.get(key)?.size ?? 0) > 1))
    const names = images.names(row.id).map(({ name }) => familiarName(name))
    return {
      id: row.id,
      names: names.length === 0 ? [shortId(row.id)] : names,
      createdAt: row.createdAt === null ? null : new Date(row.createdAt).toISOString(),
      sizeBytes: total(own),
      sharedBytes: shared,
      uniqueBytes: total(own) - shared,
      containers: context.containers.usersOfImage(row.id).length,
    }
  })
  return {
    list,
    total: {
      count: rows.length,
      active: rows.filter(({ id }) => usedImages.has(id)).length,
      sizeBytes: total(sizes.keys()),
      reclaimableBytes: total([...sizes.keys()].filter(isFree)),
    },
  }
}

/** Config, manifest, and the index that a name points at. */
function documentsOf({ image }: ContainerContext, row: ImageRow): Set<string> {
  const targets = image.images.names(row.id).map(({ targetDigest }) => targetDigest)
  return new Set([row.id, row.manifestDigest, ...targets])
}

function documentBytes({ image }: ContainerContext, digest: string): number {
  // From the table of images, which only digests get into.
  return statSync(image.content.path(digest as ImageRow['id']), { throwIfNoEntry: false })?.size ?? 0
}

/** Of the few files of one directory. */
function bytesIn(directory: string): number {
  try {
    const files = readdirSync(directory)
    return files.reduce(
      (sum, file) => sum + (statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0),
      0,
    )
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return 0
    throw error
  }
}
