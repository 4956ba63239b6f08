/** What a container's health is, check by check. Pure; times are milliseconds since 1970. */
import type { Health, HealthCheck, HealthResult } from '../../shared/protocol/health.ts'

const resultsKept = 5

export const noHealthYet: Health = { status: 'starting', failingStreak: 0, log: [] }

/** The state after a check. */
export function afterCheck(
  before: Health,
  result: HealthResult,
  check: HealthCheck,
  containerStartedAt: number,
): Health {
  const log = [...before.log, result].slice(-resultsKept)
  if (result.exitStatus === 0) return { status: 'healthy', failingStreak: 0, log }
  const isEarly = Date.parse(result.startedAt) < containerStartedAt + check.startPeriodMs
  if (isEarly && before.status === 'starting') return { ...before, log }
  const failingStreak = before.failingStreak + 1
  return { status: failingStreak >= check.retries ? 'unhealthy' : before.status, failingStreak, log }
}

/** Milliseconds until the next check is due; 0 if it is overdue. */
export function nextCheckIn(
  { status, log }: Health,
  check: HealthCheck,
  containerStartedAt: number,
  now: number,
): number {
  const last = log.at(-1)
  // Results of an earlier run of the container are no beginning of this one.
  const from = Math.max(containerStartedAt, last === undefined ? 0 : Date.parse(last.finishedAt))
  const isEarly = status === 'starting' && now < containerStartedAt + check.startPeriodMs
  return Math.max(0, from + (isEarly ? check.startIntervalMs : check.intervalMs) - now)
}
