/** What happened to containers, images and the rest: a history that is kept, and the news as they come. */
import { type Static, Type } from 'typebox'
import { closed, StringMap, Timestamp } from './common.ts'
import { route } from './route.ts'

export const EventType = Type.Union([
  Type.Literal('container'),
  Type.Literal('image'),
  Type.Literal('network'),
  Type.Literal('volume'),
  Type.Literal('daemon'),
])
export type EventType = Static<typeof EventType>

/**
 * One event. Actions have Docker's names: of containers `create start die stop kill oom pause unpause restart rename
 * update destroy health_status`, of images `pull push load tag untag delete`, and so on.
 */
export const Event = closed({
  /** Grows with every event, also over restarts of the daemon: what was seen last can be gone on from. */
  seq: Type.Integer(),
  at: Timestamp,
  type: EventType,
  action: Type.String(),
  /** A container's id, an image's name or id, a network's id, a volume's name. */
  id: Type.String(),
  /** Of a container: `name`, `image`, its labels, and what the action has to say (`exitCode`, `signal`). */
  attributes: StringMap,
})
export type Event = Static<typeof Event>

export const eventRoutes = {
  'system.events': route({
    id: 'system.events',
    summary: 'What happens, as it happens; with ?since=, what happened first. Without ?until= it never ends',
    query: closed({
      /** From then on; without it and `after`, only what is new. */
      since: Type.Optional(Timestamp),
      /** Ends there: at once, if it is past. */
      until: Type.Optional(Timestamp),
      /** What came after the event of this number. */
      after: Type.Optional(Type.Integer({ minimum: 0 })),
      /** `key=value`, as Docker's: type, event, container, image, network, volume, label. */
      filter: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
    }),
    reply: 'stream',
    line: Event,
  }),
}
