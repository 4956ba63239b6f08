/** Operations: every changing verb, as the steps it took. */
import { type Static, Type } from 'typebox'
import { closed, Timestamp } from './common.ts'
import { route } from './route.ts'

export const OperationStatus = Type.Union([
  Type.Literal('running'),
  Type.Literal('done'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
  /** The daemon died in the middle; the next start undid what had been done. */
  Type.Literal('rolled-back'),
])
export type OperationStatus = Static<typeof OperationStatus>

export const OperationSummary = closed({
  id: Type.String(),
  /** `container.start`. */
  kind: Type.String(),
  /** What it acts on: a container's id, an image's name. */
  target: Type.String(),
  status: OperationStatus,
  startedAt: Timestamp,
  /** Null while it runs. */
  durationMs: Type.Union([Type.Number(), Type.Null()]),
  error: Type.Union([Type.String(), Type.Null()]),
  steps: Type.Integer(),
})
export type OperationSummary = Static<typeof OperationSummary>

export const OperationStep = closed({
  name: Type.String(),
  /** The system call, file or tool it stands for. */
  by: Type.String(),
  /** What a person could have typed; null where there is no such thing. */
  shell: Type.Union([Type.String(), Type.Null()]),
  /** What takes it back: a name in the daemon's table of undos, and its arguments. */
  undo: Type.Union([Type.Array(Type.Unknown()), Type.Null()]),
  status: Type.Union([
    Type.Literal('running'),
    Type.Literal('done'),
    Type.Literal('failed'),
    Type.Literal('undone'),
  ]),
  /** From the beginning of the operation. */
  offsetMs: Type.Number(),
  durationMs: Type.Union([Type.Number(), Type.Null()]),
  error: Type.Union([Type.String(), Type.Null()]),
})
export type OperationStep = Static<typeof OperationStep>

export const OperationDetails = closed({
  ...OperationSummary.properties,
  steps: Type.Array(OperationStep),
})
export type OperationDetails = Static<typeof OperationDetails>

export const operationRoutes = {
  'operation.list': route({
    id: 'operation.list',
    summary: 'List operations, newest first',
    query: closed({
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      /** A container's name or id, or an image's name. */
      target: Type.Optional(Type.String({ maxLength: 4096 })),
    }),
    reply: 'json',
    result: Type.Array(OperationSummary),
  }),
  'operation.inspect': route({
    id: 'operation.inspect',
    summary: 'The steps of an operation, or of the last one on a container',
    params: closed({ id: Type.String({ minLength: 1, maxLength: 255 }) }),
    reply: 'json',
    result: OperationDetails,
  }),
}
