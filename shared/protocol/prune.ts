/** Removing what nothing needs. Asked with `dryRun` first, it is a plan; asked again with `only`, what the plan says goes. */
import { type Static, Type } from 'typebox'
import { closed } from './common.ts'
import { route } from './route.ts'

const Ids = Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100_000 })
const Filter = Type.Optional(
  /** `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`. */
  Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 }),
)
const flag = Type.Optional(Type.Boolean())

export const PrunedContainer = closed({
  id: Type.String(),
  name: Type.String(),
  state: Type.String(),
  /** Of what it wrote and of its log. */
  bytes: Type.Integer(),
})
export type PrunedContainer = Static<typeof PrunedContainer>

export const PrunedImage = closed({
  id: Type.String(),
  names: Type.Array(Type.String()),
  /** What comes free with it, once those before it are gone. */
  bytes: Type.Integer(),
})
export type PrunedImage = Static<typeof PrunedImage>

export const PrunedNetwork = closed({
  id: Type.String(),
  name: Type.String(),
  subnets: Type.Array(Type.String()),
})
export type PrunedNetwork = Static<typeof PrunedNetwork>

export const PrunedVolume = closed({
  name: Type.String(),
  bytes: Type.Integer(),
})
export type PrunedVolume = Static<typeof PrunedVolume>

export const SystemPrune = closed({
  containers: Type.Array(PrunedContainer),
  networks: Type.Array(PrunedNetwork),
  images: Type.Array(PrunedImage),
  /** Empty unless it was asked for. */
  volumes: Type.Array(PrunedVolume),
  bytes: Type.Integer(),
})
export type SystemPrune = Static<typeof SystemPrune>

export const pruneRoutes = {
  'container.prune': route({
    id: 'container.prune',
    summary: 'Remove the containers that do not run',
    body: closed({ dryRun: flag, filter: Filter, only: Type.Optional(Ids) }),
    reply: 'json',
    result: Type.Array(PrunedContainer),
  }),
  'image.prune': route({
    id: 'image.prune',
    summary: 'Remove the images that no container needs: those without a name, or all',
    body: closed({ dryRun: flag, all: flag, filter: Filter, only: Type.Optional(Ids) }),
    reply: 'json',
    result: Type.Array(PrunedImage),
  }),
  'volume.prune': route({
    id: 'volume.prune',
    summary: 'Remove the volumes that no container mounts: those without a name, or all',
    body: closed({ dryRun: flag, all: flag, filter: Filter, only: Type.Optional(Ids) }),
    reply: 'json',
    result: Type.Array(PrunedVolume),
  }),
  'system.prune': route({
    id: 'system.prune',
    summary: 'Remove the containers that do not run, and the networks and images that then nobody needs',
    body: closed({
      dryRun: flag,
      all: flag,
      /** Volumes without a name, too. */
      volumes: flag,
      filter: Filter,
      only: Type.Optional(
        closed({ containers: Ids, networks: Ids, images: Ids, volumes: Type.Optional(Ids) }),
      ),
    }),
    reply: 'json',
    result: SystemPrune,
  }),
} as const
