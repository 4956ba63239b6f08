/** Finds the images in what `docker save` writes: manifest.json lists configs and layers by their names in the archive. */
import { open } from 'node:fs/promises'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { KagoError } from '../../shared/errors.ts'
import { firstProblem, parseDocument } from '../../shared/oci/document.ts'
import { parseImageConfig } from '../../shared/oci/image-config.ts'
import type { Manifest } from '../../shared/oci/manifest.ts'
import { mediaTypes } from '../../shared/oci/media-types.ts'
import type { ArchiveFile, ArchiveIntake } from './archive-intake.ts'
import type { ImageContext } from './context.ts'
import { detectCompression } from './decompress.ts'
import type { LoadedImage } from './loaded-image.ts'

const schema = Compile(
  Type.Array(
    Type.Object({
      Config: Type.String({ maxLength: 4096 }),
      RepoTags: Type.Optional(
        Type.Union([Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 1000 }), Type.Null()]),
      ),
      Layers: Type.Union([Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 1000 }), Type.Null()]),
    }),
    { maxItems: 1000 },
  ),
)

export interface DockerArchiveItem {
  config: string
  names: string[]
  layers: string[]
}

/** @param bytes of manifest.json */
export function parseDockerManifest(bytes: Buffer): DockerArchiveItem[] {
  const value = parseDocument(bytes, 'manifest.json of the archive')
  if (!schema.Check(value))
    throw new KagoError(
      'corrupt',
      `manifest.json of the archive is not valid: ${firstProblem(schema, value)}`,
    )
  return value.map(({ Config, RepoTags, Layers }) => ({
    config: Config,
    names: RepoTags ?? [],
    layers: Layers ?? [],
  }))
}

/** Such an archive has no manifest in the OCI's sense: one is made, the same for the same files. */
export async function readDockerImage(
  { content }: ImageContext,
  intake: ArchiveIntake,
  item: DockerArchiveItem,
): Promise<LoadedImage> {
  const configFile = intake.file(item.config)
  const bytes = await intake.readSmall(configFile, item.config)
  const config = parseImageConfig(parseDocument(bytes, 'the config of the archive'), 'the archive')
  const layers: Manifest['layers'] = []
  for (const name of item.layers) {
    const file = intake.file(name)
    await intake.store(file)
    layers.push({ mediaType: await layerType(content.path(file.digest)), ...descriptor(file) })
  }
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, ...descriptor(configFile) },
    layers,
  }
  const manifestDigest = await intake.write(Buffer.from(JSON.stringify(document)))
  const manifest: Manifest = {
    kind: 'manifest',
    mediaType: mediaTypes.ociManifest,
    config: document.config,
    layers,
  }
  return { manifest, manifestDigest, config, targetDigest: manifestDigest, names: [...item.names] }
}

function descriptor({ digest, size }: ArchiveFile): Pick<ArchiveFile, 'digest' | 'size'> {
  return { digest, size }
}

async function layerType(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(8), 0, 8, 0)
    switch (detectCompression(buffer.subarray(0, bytesRead))) {
      case 'gzip':
        return mediaTypes.ociLayerGzip
      case 'zstd':
        return mediaTypes.ociLayerZstd
      case 'none':
        return mediaTypes.ociLayer
    }
  } finally {
    await file.close()
  }
}
