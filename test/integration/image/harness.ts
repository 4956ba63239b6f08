/** An image store of its own in a temporary directory, and images made on the spot for it. */
import { eventTable } from '../../../daemon/state/events.ts'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { openContentStore } from '../../../daemon/content/store.ts'
import { createEventBus } from '../../../daemon/events/bus.ts'
import { settleDeletions } from '../../../daemon/image/collect.ts'
import { createImageMemory, type ImageContext } from '../../../daemon/image/context.ts'
import { loadImages } from '../../../daemon/image/load.ts'
import { imageUndos } from '../../../daemon/image/undos.ts'
import { type Faults, noFaults } from '../../../daemon/operation/faults.ts'
import type { UndoTable } from '../../../daemon/operation/operation.ts'
import type { RegistryClient } from '../../../daemon/registry/client.ts'
import { overlaySnapshotter } from '../../../daemon/snapshot/overlay.ts'
import { type ContainerRow, containerTable, noTask } from '../../../daemon/state/containers.ts'
import { openDatabase } from '../../../daemon/state/database.ts'
import { imageTable } from '../../../daemon/state/images.ts'
import { operationTable } from '../../../daemon/state/operations.ts'
import { createLog } from '../../../daemon/telemetry/log.ts'
import type { Digest } from '../../../shared/oci/digest.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import type { Progress } from '../../../shared/protocol/progress.ts'
import { childPath, digestOf } from '../../harness/layers.ts'
import { directory, file, type TarPart, tar } from '../../harness/tar-builder.ts'

export const never = new AbortController().signal

export interface TestStore {
  context: ImageContext
  root: string
  /** Names below the root that hold something: scratch, partials, blobs, layers. For "nothing left behind". */
  leftovers(): Promise<{ blobs: number; partials: number; layers: number; scratch: string[] }>
  close(): Promise<void>
}

/** A registry that nobody may ask. */
const noRegistry = new Proxy({} as RegistryClient, {
  get: (_target, name) => () => {
    throw new Error(`the registry was asked: ${String(name)}`)
  },
})

export function openTestStore(
  options: { registry?: RegistryClient; root?: string; faults?: Faults } = {},
): TestStore {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'kago-image-'))
  mkdirSync(join(root, 'layers'), { recursive: true })
  const database = openDatabase(join(root, 'kago.db'))
  const undos: UndoTable = new Map()
  const context: ImageContext = {
    journal: operationTable(database),
    undos,
    faults: options.faults ?? noFaults,
    log: createLog('silent'),
    images: imageTable(database),
    containers: containerTable(database),
    content: openContentStore({ root }),
    snapshotter: overlaySnapshotter(join(root, 'layers')),
    registry: options.registry ?? noRegistry,
    events: createEventBus({ history: eventTable(database) }),
    unpackChildPath: childPath,
    platform: { os: 'linux', architecture: 'amd64' },
    dataRoot: root,
    memory: createImageMemory(),
  }
  for (const [name, undo] of imageUndos(context)) undos.set(name, undo)
  return {
    context,
    root,
    async leftovers() {
      await settleDeletions(context)
      return {
        blobs: (await context.content.list()).length,
        partials: (await context.content.listPartials()).length,
        layers: (await context.snapshotter.listLayers()).length,
        scratch: [
          ...readdirSync(root).filter((name) => name.startsWith('load-')),
          ...readdirSync(join(root, 'layers')).filter((name) => name.startsWith('.')),
        ],
      }
    },
    async close() {
      await settleDeletions(context)
      database.close()
      if (options.root === undefined) rmSync(root, { recursive: true, force: true })
    },
  }
}

export interface TestImage {
  manifest: { bytes: Buffer; digest: Digest }
  config: { bytes: Buffer; digest: Digest }
  layers: { bytes: Buffer; digest: Digest; archive: Buffer }[]
  blobs: Map<Digest, Buffer>
}

/** An image whose layers hold the given files. */
export function makeImage(
  layers: TarPart[][],
  options: {
    config?: Record<string, unknown>
    platform?: { os: string; architecture: string; variant?: string }
    compress?: (bytes: Buffer) => Buffer
    layerType?: string
  } = {},
): TestImage {
  const { compress = (bytes: Buffer) => gzipSync(bytes, { level: 1 }), layerType = mediaTypes.ociLayerGzip } =
    options
  const made = layers.map((parts) => {
    const archive = tar(...parts)
    const bytes = compress(archive)
    return { archive, bytes, digest: digestOf(bytes) }
  })
  const config = json({
    ...(options.platform ?? { os: 'linux', architecture: 'amd64' }),
    created: '2024-01-02T03:04:05.678901234Z',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...options.config },
    rootfs: { type: 'layers', diff_ids: made.map(({ archive }) => digestOf(archive)) },
    history: made.map((_, index) => ({ created: '2024-01-02T03:04:05Z', created_by: `step ${index}` })),
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.bytes.length },
    layers: made.map(({ bytes, digest }) => ({ mediaType: layerType, digest, size: bytes.length })),
  })
  const blobs = new Map([manifest, config, ...made].map(({ digest, bytes }) => [digest, bytes]))
  return { manifest, config, layers: made, blobs }
}

/** Two layers, a few files. `seed` makes it another image. */
export function smallImage(seed = 'a', options: Parameters<typeof makeImage>[1] = {}): TestImage {
  return makeImage(
    [
      [directory('etc'), file('etc/os-release', 'NAME=test\n')],
      [directory('app'), file('app/seed', seed)],
    ],
    options,
  )
}

export function json(value: unknown): { bytes: Buffer; digest: Digest } {
  const bytes = Buffer.from(JSON.stringify(value))
  return { bytes, digest: digestOf(bytes) }
}

/** An OCI layout as tar. Names go into the annotation that Docker writes. */
export function ociArchive(images: { image: TestImage; name?: string }[], more: TarPart[] = []): Buffer {
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ image, name }) => ({
      mediaType: mediaTypes.ociManifest,
      digest: image.manifest.digest,
      size: image.manifest.bytes.length,
      ...(name !== undefined && { annotations: { 'io.containerd.image.name': name } }),
    })),
  }
  const blobs = new Map(images.flatMap(({ image }) => [...image.blobs]))
  return tar(
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', JSON.stringify(index)),
    ...[...blobs].map(([digest, bytes]) => file(blobPath(digest), bytes)),
    ...more,
  )
}

export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`
}

/** In pieces of odd sizes, as a socket would. */
export function inPieces(bytes: Buffer, size = 65_521): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
    })(),
    { objectMode: false },
  )
}

export async function load(
  { context }: Pick<TestStore, 'context'>,
  bytes: Buffer,
): Promise<{ loaded: { id: string; names: string[] }[]; said: Progress[] }> {
  const said: Progress[] = []
  const report = (progress: Progress) => void said.push(progress)
  return { loaded: await loadImages(context, inPieces(bytes), { report, signal: never }), said }
}

/** A container's row that rests on an image. */
export function addContainer(
  { context }: Pick<TestStore, 'context'>,
  container: { id: string; imageId: Digest; state?: ContainerRow['state']; chainIds?: Digest[] },
): void {
  const { id, imageId, state = 'created', chainIds = [] } = container
  context.containers.insert(
    {
      id,
      name: `name-${id}`,
      imageId,
      createdAt: 0,
      record: JSON.stringify({ chainIds }),
      state,
      ...noTask,
    },
    'quick',
  )
}
