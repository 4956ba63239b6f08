/** The processes of a container, read from /proc: nothing of the container's own is run or trusted. */
import { readFile } from 'node:fs/promises'
import type { ResultOf } from '../../shared/protocol/route.ts'
import type { Routes } from '../../shared/protocol/index.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { liveTask } from './kill.ts'

type Processes = ResultOf<Routes['container.top']>['processes']

/** USER_HZ of /proc/PID/stat, 100 on every architecture Linux has for Node (proc(5)). */
const ticksPerSecond = 100
const pageBytes = 4096

/** @throws wrong_state if it does not run. */
export async function listProcesses(context: ContainerContext, text: string): Promise<Processes> {
  const container = findContainer(context, text)
  liveTask(context, container)
  const pids = await context.runtimes.get(container.record.runtime).processes(container.id)
  const bootedAt = await bootTime()
  const rows = await Promise.all(pids.map((pid) => describeProcess(pid, bootedAt)))
  return rows.filter((row) => row !== undefined).sort((a, b) => a.pid - b.pid)
}

/** Undefined for a process that has ended meanwhile. */
async function describeProcess(pid: number, bootedAt: number): Promise<Processes[number] | undefined> {
  try {
    const [stat, status, cmdline] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ])
    // The name, in parentheses, may hold anything; the fields that count come after its end.
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const field = (number: number) => Number(fields[number - 3] ?? 0)
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? 0)
    return {
      pid,
      parentPid: field(4),
      uid,
      user: uid === 0 ? 'root' : String(uid),
      startedAt: new Date((bootedAt + field(22) / ticksPerSecond) * 1000).toISOString(),
      cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
      residentBytes: field(24) * pageBytes,
      terminal: describeTerminal(field(7)),
      command: cmdline === '' ? `[${name}]` : cmdline.replace(/\0+$/, '').replaceAll('\0', ' '),
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}

/** Field 7 of /proc/PID/stat: the device number, where pseudo-terminals have majors 136 to 143. */
function describeTerminal(device: number): string {
  const major = (device >> 8) & 0xfff
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00)
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : '?'
}

async function bootTime(): Promise<number> {
  return Number(/^btime (\d+)/m.exec(await readFile('/proc/stat', 'utf8'))?.[1] ?? 0)
}
