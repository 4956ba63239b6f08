/** One handler for each route of the contract: a missing one does not compile. */
import type { Duplex, Readable } from 'node:stream'
import type { Routes } from '../../shared/protocol/index.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import type { BodyOf, LineOf, ParamsOf, QueryOf, ResultOf, Route } from '../../shared/protocol/route.ts'
import type { RegistryAuth } from '../../shared/protocol/system.ts'

/** What every handler is given, checked against the route's schemas. */
export interface Call<R extends Route> {
  params: ParamsOf<R>
  query: QueryOf<R>
  body: R['body'] extends string ? Readable : BodyOf<R>
  /** Aborted when the client goes away. */
  signal: AbortSignal
  credentials: RegistryAuth | undefined
}

/** An upgraded connection: tells `report` what happens until it can say who serves the client. */
export interface Upgraded {
  serve(client: Duplex): Promise<void>
}

/** What a handler returns, by the route's kind of reply. */
export type Handler<R extends Route> = R['reply'] extends 'json'
  ? (call: Call<R>) => ResultOf<R> | Promise<ResultOf<R>>
  : R['reply'] extends 'lines'
    ? (call: Call<R>, report: Report) => Promise<ResultOf<R>>
    : R['reply'] extends 'stream'
      ? (call: Call<R>) => AsyncIterator<LineOf<R>>
      : R['reply'] extends 'text'
        ? (call: Call<R>) => string | Promise<string>
        : R['reply'] extends 'upgrade'
          ? (call: Call<R>) => Promise<Upgraded>
          : (call: Call<R>) => Readable | Promise<Readable>

export type Handlers = { readonly [Id in keyof Routes]: Handler<Routes[Id]> }
