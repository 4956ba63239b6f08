/** Health checks: how a container is asked, and what it answered. */
import { type Static, Type } from 'typebox'
import { closed, Timestamp } from './common.ts'

const Milliseconds = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })
const Words = Type.Array(Type.String({ maxLength: 131072 }), { minItems: 1, maxItems: 10000 })

/** What happens to a container that has become unhealthy. */
export const HealthAction = Type.Union([
  Type.Literal('none'),
  Type.Literal('restart'),
  Type.Literal('stop'),
  Type.Literal('kill'),
])
export type HealthAction = Static<typeof HealthAction>

const timing = {
  /** From the end of a check, or from the start, to the next check. 30 s. */
  intervalMs: Milliseconds,
  /** A check that takes longer is killed and has failed. 30 s. */
  timeoutMs: Milliseconds,
  /** For so long after the start, failures do not count until the first success. 0. */
  startPeriodMs: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }),
  /** Instead of the interval during the start period, until the first success. 5 s. */
  startIntervalMs: Milliseconds,
  /** So many failures in a row make it unhealthy. 3. */
  retries: Type.Integer({ minimum: 1, maximum: 10000 }),
  onFailure: HealthAction,
}

/** As a container has it: complete. */
export const HealthCheck = closed({
  /** Run in the container, as `exec` does; status 0 is healthy. */
  command: Words,
  ...timing,
})
export type HealthCheck = Static<typeof HealthCheck>

/** As a request asks for it; what is left out is as the image says, or the default. */
export const HealthRequest = closed({
  /** True: no check, whatever the image says. */
  disable: Type.Optional(Type.Boolean()),
  command: Type.Optional(Words),
  /** Instead of `command`: a line for the image's shell. */
  shell: Type.Optional(Type.String({ minLength: 1, maxLength: 131072 })),
  ...Type.Partial(Type.Object(timing)).properties,
})
export type HealthRequest = Static<typeof HealthRequest>

export const HealthStatus = Type.Union([
  Type.Literal('starting'),
  Type.Literal('healthy'),
  Type.Literal('unhealthy'),
])
export type HealthStatus = Static<typeof HealthStatus>

/** One check. `exitStatus` is null where there was none: it took too long. */
export const HealthResult = closed({
  startedAt: Timestamp,
  finishedAt: Timestamp,
  exitStatus: Type.Union([Type.Integer(), Type.Null()]),
  /** Of stdout and stderr, up to 4 KiB. */
  output: Type.String(),
})
export type HealthResult = Static<typeof HealthResult>

export const Health = closed({
  status: HealthStatus,
  /** Failures since the last success; those of the start period not counted. */
  failingStreak: Type.Integer(),
  /** The last five, oldest first. */
  log: Type.Array(HealthResult),
})
export type Health = Static<typeof Health>
