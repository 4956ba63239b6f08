/** What a route is: the shape of its request and of what comes back. One value per route, in the files beside this one. */
import type { Static, TSchema } from 'typebox'
import { endpoints, type RouteId } from './endpoints.ts'

/**
 * How a route answers.
 * - `json`: one JSON object.
 * - `lines`: NDJSON, one object a line; the last line is `{"type":"result",…}` or `{"type":"error",…}`.
 * - `stream`: NDJSON without a known end, one `line` after another; the last line is as that of `lines`.
 * - `text`: plain text.
 * - `frames`: kago-frames as the body of the reply.
 * - `upgrade`: the connection becomes kago-frames in both directions (101); refused with a plain status and JSON error.
 * - `tar`: a tar archive.
 */
export type ReplyKind = 'json' | 'lines' | 'stream' | 'text' | 'frames' | 'upgrade' | 'tar'

export interface Route {
  readonly id: RouteId
  readonly summary: string
  readonly params?: TSchema
  readonly query?: TSchema
  /** The JSON body, or the media type of a body that is streamed. */
  readonly body?: TSchema | 'application/x-tar'
  readonly reply: ReplyKind
  /** Of `json`: the object. Of `lines`: the object of the last line's `result`. */
  readonly result?: TSchema
  /** Of `stream`: the object of a line. */
  readonly line?: TSchema
}

/** Declares a route; keeps its literal type. */
export function route<const R extends Route>(definition: R): R {
  return definition
}

export function methodOf(id: RouteId): string {
  return endpoints[id].slice(0, endpoints[id].indexOf(' '))
}

export function pathOf(id: RouteId): string {
  return endpoints[id].slice(endpoints[id].indexOf(' ') + 1)
}

type StaticOr<S, Otherwise> = S extends TSchema ? Static<S> : Otherwise
type Field<R, K extends string> = R extends { readonly [P in K]: infer S } ? S : undefined

export type ParamsOf<R extends Route> = StaticOr<Field<R, 'params'>, Record<never, never>>
export type QueryOf<R extends Route> = StaticOr<Field<R, 'query'>, Record<never, never>>
export type BodyOf<R extends Route> = StaticOr<Field<R, 'body'>, undefined>
export type LineOf<R extends Route> = StaticOr<Field<R, 'line'>, undefined>
export type ResultOf<R extends Route> = StaticOr<Field<R, 'result'>, undefined>
