/** What a long verb says while it works: one object a line (NDJSON), or one `event` frame on an upgraded connection. */
import { type Static, Type } from 'typebox'
import { closed } from './common.ts'

/** A layer's way through a pull, a load or a push. `current` and `total` are bytes of the phase. */
export const LayerProgress = closed({
  type: Type.Literal('layer'),
  digest: Type.String(),
  phase: Type.Union([
    Type.Literal('waiting'),
    Type.Literal('downloading'),
    Type.Literal('downloaded'),
    Type.Literal('unpacking'),
    Type.Literal('exists'),
    Type.Literal('done'),
    Type.Literal('uploading'),
    Type.Literal('uploaded'),
    Type.Literal('mounted'),
    /** A layer that its owner does not let others pass on: it stays where its manifest says. */
    Type.Literal('left-out'),
  ]),
  current: Type.Optional(Type.Number()),
  total: Type.Optional(Type.Number()),
})

/** A sentence for the user: a retry, a mirror that does not answer, what was skipped. */
export const Notice = closed({
  type: Type.Literal('notice'),
  message: Type.String(),
})

/** Which image is pulled, once its name is resolved. */
export const ImageResolved = closed({
  type: Type.Literal('resolved'),
  reference: Type.String(),
  digest: Type.String(),
  rateLimit: Type.Optional(
    closed({ limit: Type.Number(), remaining: Type.Number(), windowSeconds: Type.Optional(Type.Number()) }),
  ),
})

/** The container's id, as soon as its record is written. */
export const ContainerCreated = closed({
  type: Type.Literal('created'),
  id: Type.String(),
  name: Type.String(),
  operation: Type.Optional(Type.String()),
})

export const Progress = Type.Union([LayerProgress, Notice, ImageResolved, ContainerCreated])
export type Progress = Static<typeof Progress>
export type LayerProgress = Static<typeof LayerProgress>

/** How verbs hand progress up: called as it happens, must not throw. */
export type Report = (progress: Progress) => void
