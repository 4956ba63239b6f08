/** Images, their names, their layers: which bytes and trees belong to what. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { Database } from './database.ts'

export interface ImageRow {
  /** The digest of the config. */
  id: Digest
  manifestDigest: Digest
  manifestType: string
  platform: string
  /** Milliseconds since 1970, as the config says. */
  createdAt: number | null
  addedAt: number
}

export interface ImageLayerRow {
  position: number
  chainId: Digest
  diffId: Digest
  digest: Digest
  mediaType: string
  blobBytes: number
  /** Of the unpacked tree. */
  sizeBytes: number
}

export interface ImageNameRow {
  name: string
  imageId: Digest
  targetDigest: Digest
}

export interface LayerRow {
  chainId: Digest
  diffId: Digest
  parent: Digest | null
  sizeBytes: number
}

/** What is committed when an image becomes visible: its row, its layers in order, and its names. */
export interface NewImage {
  image: Omit<ImageRow, 'addedAt'>
  layers: readonly Omit<ImageLayerRow, 'position' | 'sizeBytes'>[]
  /** Canonical, with a tag. */
  name?: string
  /** What the name stands for at the registry: the index where there is one. */
  targetDigest: Digest
  /** Without tag or digest: where `repository@targetDigest` comes from. */
  repository?: string
}

export interface ImageTable {
  find(id: string): ImageRow | undefined
  findByName(name: string): (ImageRow & { targetDigest: Digest }) | undefined
  findByRepositoryDigest(repository: string, digest: string): ImageRow | undefined
  /** Those whose id begins so; `prefix` is hexadecimal digits. */
  findByIdPrefix(prefix: string): ImageRow[]
  list(): ImageRow[]
  names(imageId?: string): ImageNameRow[]
  /** `repository@digest` of an image. */
  digests(imageId: string): string[]
  layers(imageId: string): ImageLayerRow[]
  /** Repositories that images with this layer blob came from or went to. */
  repositoriesOfBlob(digest: string): string[]
  /** Another `repository@digest` of an image. */
  addDigest(repository: string, digest: Digest, imageId: Digest): void
  /** All in one durable transaction, the name last. Layers must have been added. */
  commit(image: NewImage): void
  setName(name: string, imageId: Digest, targetDigest: Digest): void
  /** Removes a name; the image stays. */
  removeName(name: string): boolean
  /** Removes an image that no name points to any more, with its digests and layer references. */
  removeImage(id: string): void

  addLayer(layer: LayerRow): void
  findLayer(chainId: string): LayerRow | undefined
  /** Layers that no image and no other layer needs, deepest first; those of `keep` and their parents stay. */
  orphanLayers(keep: ReadonlySet<string>): LayerRow[]
  removeLayer(chainId: string): void
  /** Every digest that some image refers to: manifests, configs, layer blobs, and what names point to. */
  referencedDigests(): Set<string>
}

const imageColumns = `id, manifest_digest AS manifestDigest, manifest_type AS manifestType, platform,
  created_at AS createdAt, added_at AS addedAt`
const layerColumns = 'chain_id AS chainId, diff_id AS diffId, parent, size_bytes AS sizeBytes'

export function imageTable(database: Database): ImageTable {
  const { all, one, run } = database

  return {
    find: (id) => one<ImageRow>(`SELECT ${imageColumns} FROM images WHERE id = ?`, id),
    findByName: (name) =>
      one<ImageRow & { targetDigest: Digest }>(
        `SELECT ${imageColumns}, target_digest AS targetDigest
         FROM images JOIN image_names ON image_id = id WHERE name = ?`,
        name,
      ),
    findByRepositoryDigest: (repository, digest) =>
      one<ImageRow>(
        `SELECT ${imageColumns} FROM images JOIN image_digests ON image_id = id WHERE repository = ? AND digest = ?`,
        repository,
        digest,
      ),
    findByIdPrefix: (prefix) =>
      all<ImageRow>(
        `SELECT ${imageColumns} FROM images WHERE id >= ? AND id < ? ORDER BY id`,
        `sha256:${prefix}`,
        `sha256:${prefix}g`,
      ),
    list: () => all<ImageRow>(`SELECT ${imageColumns} FROM images ORDER BY created_at DESC, id`),
    names: (imageId) =>
      imageId === undefined
        ? all<ImageNameRow>(
            `SELECT name, image_id AS imageId, target_digest AS targetDigest FROM image_names ORDER BY name`,
          )
        : all<ImageNameRow>(
            `SELECT name, image_id AS imageId, target_digest AS targetDigest
             FROM image_names WHERE image_id = ? ORDER BY name`,
            imageId,
          ),
    digests: (imageId) =>
      all<{ text: string }>(
        `SELECT repository || '@' || digest AS text FROM image_digests WHERE image_id = ? ORDER BY 1`,
        imageId,
      ).map((row) => row.text),
    layers: (imageId) =>
      all<ImageLayerRow>(
        `SELECT position, chain_id AS chainId, diff_id AS diffId, digest, media_type AS mediaType,
           blob_bytes AS blobBytes, size_bytes AS sizeBytes
         FROM image_layers JOIN layers USING (chain_id) WHERE image_id = ? ORDER BY position`,
        imageId,
      ),
    repositoriesOfBlob: (digest) =>
      all<{ repository: string }>(
        `SELECT DISTINCT repository FROM image_digests JOIN image_layers USING (image_id)
         WHERE image_layers.digest = ? ORDER BY 1`,
        digest,
      ).map((row) => row.repository),
    addDigest: (repository, digest, imageId) =>
      database.transaction('durable', () => {
        run('INSERT OR IGNORE INTO image_digests VALUES (?, ?, ?)', repository, digest, imageId)
      }),
    commit({ image, layers, name, targetDigest, repository }) {
      database.transaction('durable', () => {
        run(
          `INSERT INTO images VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
           SET manifest_digest = excluded.manifest_digest, manifest_type = excluded.manifest_type`,
          image.id,
          image.manifestDigest,
          image.manifestType,
          image.platform,
          image.createdAt,
          Date.now(),
        )
        run('DELETE FROM image_layers WHERE image_id = ?', image.id)
        for (const [position, layer] of layers.entries()) {
          run(
            'INSERT INTO image_layers VALUES (?, ?, ?, ?, ?, ?)',
            image.id,
            position,
            layer.chainId,
            layer.digest,
            layer.mediaType,
            layer.blobBytes,
          )
        }
        if (repository !== undefined) {
          run('INSERT OR IGNORE INTO image_digests VALUES (?, ?, ?)', repository, targetDigest, image.id)
        }
        if (name !== undefined) writeName(name, image.id, targetDigest)
      })
    },
    setName: (name, imageId, targetDigest) =>
      database.transaction('durable', () => {
        writeName(name, imageId, targetDigest)
      }),
    removeName: (name) =>
      database.transaction('durable', () => run('DELETE FROM image_names WHERE name = ?', name) === 1),
    removeImage: (id) =>
      database.transaction('durable', () => {
        run('DELETE FROM images WHERE id = ?', id)
      }),

    addLayer: (layer) =>
      database.transaction('durable', () => {
        run(
          'INSERT OR IGNORE INTO layers VALUES (?, ?, ?, ?)',
          layer.chainId,
          layer.diffId,
          layer.parent,
          layer.sizeBytes,
        )
      }),
    findLayer: (chainId) => one<LayerRow>(`SELECT ${layerColumns} FROM layers WHERE chain_id = ?`, chainId),
    orphanLayers(keep) {
      const rows = all<LayerRow>(`SELECT ${layerColumns} FROM layers`)
      const byChain = new Map(rows.map((row) => [row.chainId as string, row]))
      const needed = new Set<string>()
      const mark = (chainId: string | null) => {
        for (let at = chainId; at !== null && !needed.has(at); at = byChain.get(at)?.parent ?? null)
          needed.add(at)
      }
      for (const { chainId } of all<{ chainId: string }>('SELECT chain_id AS chainId FROM image_layers'))
        mark(chainId)
      for (const chainId of keep) mark(chainId)
      const depth = (row: LayerRow): number => {
        let count = 0
        for (let at = row.parent; at !== null; at = byChain.get(at)?.parent ?? null) count++
        return count
      }
      return rows.filter((row) => !needed.has(row.chainId)).sort((a, b) => depth(b) - depth(a))
    },
    removeLayer: (chainId) =>
      database.transaction('durable', () => {
        run('DELETE FROM layers WHERE chain_id = ?', chainId)
      }),
    referencedDigests() {
      const rows = all<{ digest: string }>(
        `SELECT id AS digest FROM images UNION SELECT manifest_digest FROM images
         UNION SELECT target_digest FROM image_names UNION SELECT digest FROM image_digests
         UNION SELECT digest FROM image_layers`,
      )
      return new Set(rows.map((row) => row.digest))
    },
  }

  function writeName(name: string, imageId: string, targetDigest: string): void {
    run(
      `INSERT INTO image_names VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE
       SET image_id = excluded.image_id, target_digest = excluded.target_digest, updated_at = excluded.updated_at`,
      name,
      imageId,
      targetDigest,
      Date.now(),
    )
  }
}
