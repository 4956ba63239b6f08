/** When a container that has ended is started again, and after how long. Pure; the meanings are Docker's. */
import type { RestartPolicy } from '../../shared/protocol/containers.ts'

export const firstBackOffMs = 100
export const longestBackOffMs = 60_000
/** Who has been up for so long begins anew with the shortest back-off. */
export const healthyRunMs = 10_000

/** How a run ended. `exitStatus` is null where nobody knows; such an end counts as a failure. */
export interface End {
  exitStatus: number | null
  /** Whether a person or a program asked for it: `stop`, `kill`, `rm`. */
  isManual: boolean
  /** How often the policy has started it since somebody did. */
  restartCount: number
}

/** Whether the policy wants it back at once. What was ended on purpose stays down under every policy. */
export function wantsRestart(policy: RestartPolicy | undefined, end: End): boolean {
  if (end.isManual) return false
  const kind = policy?.policy ?? 'no'
  switch (kind) {
    case 'no':
      return false
    case 'always':
    case 'unless-stopped':
      return true
    case 'on-failure': {
      const most = policy?.maximumRetries ?? 0
      return end.exitStatus !== 0 && (most === 0 || end.restartCount < most)
    }
    default:
      return kind satisfies never
  }
}

/** The wait before the next start: 100 ms, doubled each time up to a minute; `previousMs` is 0 at first. */
export function nextBackOff(previousMs: number, ranForMs: number): number {
  if (previousMs === 0 || ranForMs >= healthyRunMs) return firstBackOffMs
  return Math.min(previousMs * 2, longestBackOffMs)
}

/**
 * Whether a start of the daemon, as after a reboot, starts it: `always` in any case, `unless-stopped` unless somebody
 * ended it, `on-failure` only if it was waiting for its next start. A container that never ran is left alone.
 */
export function startsWithDaemon(
  policy: RestartPolicy | undefined,
  task: { startedAt: number | null; isManual: boolean; isWaiting: boolean },
): boolean {
  if (task.startedAt === null) return false
  const kind = policy?.policy ?? 'no'
  switch (kind) {
    case 'always':
      return true
    case 'unless-stopped':
      return !task.isManual
    case 'on-failure':
      return task.isWaiting
    case 'no':
      return false
    default:
      return kind satisfies never
  }
}
