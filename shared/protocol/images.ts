/** Images: pulling, listing, looking into, naming, removing, and archives of them. */
import { type Static, Type } from 'typebox'
import { closed, PlatformText, StringMap, Timestamp } from './common.ts'
import { route } from './route.ts'

/** By name (`alpine:3`), by digest, or by the beginning of an image's id. */
const ImageName = Type.String({ minLength: 1, maxLength: 4096 })

export const ImageSummary = closed({
  /** The digest of the config. */
  id: Type.String(),
  /** Familiar names: `alpine:3`. Empty for an image without a name. */
  names: Type.Array(Type.String()),
  /** `repository@digest` of the manifests it was pulled by. */
  digests: Type.Array(Type.String()),
  createdAt: Type.Union([Timestamp, Type.Null()]),
  /** Bytes of its unpacked layers; layers that images share count in each. */
  sizeBytes: Type.Integer(),
  labels: StringMap,
  platform: Type.String(),
  /** How many containers use it. */
  containers: Type.Integer(),
})
export type ImageSummary = Static<typeof ImageSummary>

export const ImageDetails = closed({
  id: Type.String(),
  names: Type.Array(Type.String()),
  digests: Type.Array(Type.String()),
  manifestDigest: Type.String(),
  createdAt: Type.Union([Timestamp, Type.Null()]),
  author: Type.Union([Type.String(), Type.Null()]),
  platform: Type.String(),
  sizeBytes: Type.Integer(),
  /** The OCI config's `config` object: Env, Entrypoint, Cmd, … */
  config: Type.Record(Type.String(), Type.Unknown()),
  layers: Type.Array(
    closed({
      digest: Type.String(),
      diffId: Type.String(),
      chainId: Type.String(),
      mediaType: Type.String(),
      /** Compressed bytes. */
      blobBytes: Type.Integer(),
      sizeBytes: Type.Integer(),
    }),
  ),
})
export type ImageDetails = Static<typeof ImageDetails>

export const PulledImage = closed({
  reference: Type.String(),
  /** The digest that the name stands for: of the index where there is one. */
  digest: Type.String(),
  id: Type.String(),
  /** Whether all of it was there before. */
  upToDate: Type.Boolean(),
})
export type PulledImage = Static<typeof PulledImage>

export const PushedImage = closed({
  /** The familiar name. */
  reference: Type.String(),
  /** What the name stands for at the registry now. */
  digest: Type.String(),
  /** Bytes of the manifest or index. */
  sizeBytes: Type.Integer(),
})
export type PushedImage = Static<typeof PushedImage>

export const imageRoutes = {
  'image.pull': route({
    id: 'image.pull',
    summary: 'Fetch an image from its registry and unpack it',
    body: closed({ reference: ImageName, platform: Type.Optional(PlatformText) }),
    reply: 'lines',
    result: PulledImage,
  }),
  'image.pull-all': route({
    id: 'image.pull-all',
    summary: 'Fetch every tag of a repository',
    body: closed({
      /** A repository, without a tag. */
      reference: ImageName,
      platform: Type.Optional(PlatformText),
    }),
    reply: 'lines',
    result: Type.Array(PulledImage),
  }),
  'image.push': route({
    id: 'image.push',
    summary: 'Bring an image to its registry, or all images of a repository',
    body: closed({
      reference: ImageName,
      /** All names that are here of the repository; the reference has no tag then. */
      allTags: Type.Optional(Type.Boolean()),
    }),
    reply: 'lines',
    result: Type.Array(PushedImage),
  }),
  'image.list': route({
    id: 'image.list',
    summary: 'List images, newest first',
    query: closed({
      /** A repository or a name to narrow the list to. */
      name: Type.Optional(ImageName),
      /** `key=value`: dangling, label, reference, before, since. */
      filter: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
    }),
    reply: 'json',
    result: Type.Array(ImageSummary),
  }),
  'image.inspect': route({
    id: 'image.inspect',
    summary: 'Everything that is known of an image',
    query: closed({ name: ImageName }),
    reply: 'json',
    result: ImageDetails,
  }),
  'image.history': route({
    id: 'image.history',
    summary: 'How an image was built, newest step first',
    query: closed({ name: ImageName }),
    reply: 'json',
    result: Type.Array(
      closed({
        /** The digest of the layer this step made; null for a step that made none. */
        layer: Type.Union([Type.String(), Type.Null()]),
        createdAt: Type.Union([Timestamp, Type.Null()]),
        createdBy: Type.String(),
        comment: Type.String(),
        sizeBytes: Type.Integer(),
      }),
    ),
  }),
  'image.tag': route({
    id: 'image.tag',
    summary: 'Give an image another name',
    body: closed({ source: ImageName, target: ImageName }),
    reply: 'json',
    result: closed({ id: Type.String(), name: Type.String() }),
  }),
  'image.remove': route({
    id: 'image.remove',
    summary: 'Remove a name, and the image when it was the last one',
    query: closed({ name: ImageName, force: Type.Optional(Type.Boolean()) }),
    reply: 'json',
    result: closed({
      untagged: Type.Array(Type.String()),
      deleted: Type.Array(Type.String()),
      freedBytes: Type.Integer(),
    }),
  }),
  'image.load': route({
    id: 'image.load',
    summary: 'Take in an archive: an OCI layout or what docker save writes',
    body: 'application/x-tar',
    reply: 'lines',
    result: Type.Array(closed({ id: Type.String(), names: Type.Array(Type.String()) })),
  }),
  'image.import': route({
    id: 'image.import',
    summary: 'Make an image of one layer from an archive of a file system, plain or compressed',
    query: closed({
      name: Type.Optional(ImageName),
      /** Instructions of a Dockerfile: `CMD`, `ENV`, … */
      change: Type.Optional(Type.Array(Type.String({ maxLength: 65536 }), { maxItems: 1000 })),
      message: Type.Optional(Type.String({ maxLength: 65536 })),
      platform: Type.Optional(PlatformText),
    }),
    body: 'application/x-tar',
    reply: 'lines',
    result: closed({ id: Type.String(), name: Type.Optional(Type.String()) }),
  }),
  'image.save': route({
    id: 'image.save',
    summary: 'Write images as an archive that is an OCI layout and a Docker archive at once',
    query: closed({ name: Type.Array(ImageName, { minItems: 1, maxItems: 100 }) }),
    reply: 'tar',
  }),
}
