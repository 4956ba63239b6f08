/** The exit code of a command that sat at a container's streams. */
import { printError } from '../terminal/output.ts'
import type { SessionEnd } from '../terminal/session.ts'

/** The container's own; 0 for leaving it by the detach keys; 128 + signal when a signal took kago away. */
export async function exitOfSession(end: SessionEnd): Promise<number> {
  if (end.type !== 'detached') return end.status
  // The terminal is where the container left its cursor.
  await printError('\r\n')
  return 0
}
