/** Processes of this machine, named so that a number used again by the kernel is not taken for the old process. */
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** `startTime` is field 22 of /proc/PID/stat: clock ticks since boot. The pair is unique until the next boot. */
export interface ProcessIdentity {
  pid: number
  startTime: number
}

/** What /proc/PID/stat says of a process; nothing when there is none. `state` Z is a zombie. */
export function readProcessStat(
  pid: number,
): { state: string; parentPid: number; startTime: number } | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
  // the name in brackets may itself hold spaces and brackets, so count from the last one
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parentPid: Number(fields[1]), startTime: Number(fields[19]) }
}

/** The identity of a process that is there now, a zombie not counted. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readProcessStat(pid)
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? { pid, startTime: stat.startTime } : undefined
}

/** Whether exactly this process still runs: same pid, same start, not a zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime
}

/** Sends a signal (a number, 0 only asks); false when the process has gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  if (!isAlive(identity)) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/**
 * Kills a process and all that descend from it. Each is stopped before its children are looked for, so that none is
 * missed; a child whose parent had ended before is not found.
 */
export function killTree(root: ProcessIdentity): void {
  if (!signalProcess(root, constants.signals.SIGSTOP)) return
  for (const pid of childrenOf(root.pid)) {
    const child = identifyProcess(pid)
    if (child !== undefined) killTree(child)
  }
  signalProcess(root, constants.signals.SIGKILL)
}

function childrenOf(pid: number): number[] {
  try {
    // Of each thread, since a child belongs to the thread that made it.
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/** The process went between two looks: no such file, or no such process. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}
