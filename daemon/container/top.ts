/** The processes of a container, read from /proc: nothing of the container's own is run or trusted. */
import { readFile } from 'node:fs/promises'
import type { ResultOf } from '../../shared/protocol/route.ts'
import type { Routes } from '../../shared/protocol/index.ts'
import type { ContainerContext } from './context.ts'
import { KagoError } from '../../shared/errors.ts'
import { runTool } from '../host/exec.ts'
import { findContainer } from './find.ts'
import { askRuntime, liveTask } from './kill.ts'

type Top = ResultOf<Routes['container.top']>
type Processes = Top['processes']

/** USER_HZ of /proc/PID/stat, 100 on every architecture Linux has for Node (proc(5)). */
const ticksPerSecond = 100
const pageBytes = 4096

/**
 * `ps`: words for the host's ps(1), whose table is then told as well.
 * @throws wrong_state if it does not run; invalid_argument for words that ps does not take.
 */
export async function listProcesses(
  context: ContainerContext,
  text: string,
  ps: readonly string[] = [],
): Promise<Top> {
  const container = findContainer(context, text)
  liveTask(context, container)
  const pids = await askRuntime(container, () =>
    context.runtimes.get(container.record.runtime).processes(container.id),
  )
  const bootedAt = await bootTime()
  const rows = await Promise.all(pids.map((pid) => describeProcess(pid, bootedAt)))
  const processes = rows.filter((row) => row !== undefined).sort((a, b) => a.pid - b.pid)
  return ps.length === 0 ? { processes } : { processes, table: await psTable(ps, new Set(pids)) }
}

/** The lines of those processes in what ps prints of the whole machine. */
async function psTable(
  words: readonly string[],
  pids: ReadonlySet<number>,
): Promise<NonNullable<Top['table']>> {
  const { stdout, stderr, status } = await runTool('ps', words, { allow: [1] })
  const [head = '', ...lines] = stdout.trimEnd().split('\n')
  const titles = head.trim().split(/\s+/)
  const pidColumn = titles.indexOf('PID')
  if (status !== 0 || pidColumn < 0) {
    const [reason = ''] = stderr.trim().split('\n')
    throw new KagoError('invalid_argument', `ps ${words.join(' ')} tells no processes by their PID`, {
      hint: reason === '' ? 'let PID be one of the columns: -o pid,user,args' : reason,
    })
  }
  const rows = lines.map((line) => cellsOf(line, titles.length))
  return { titles, rows: rows.filter((cells) => pids.has(Number(cells[pidColumn]))) }
}

/** Only the last column may have spaces in it. */
function cellsOf(line: string, columns: number): string[] {
  const words = line.trim().split(/\s+/)
  if (words.length <= columns) return words
  const [before] = new RegExp(`^\\s*(?:\\S+\\s+){${columns - 1}}`).exec(line) ?? ['']
  return [...words.slice(0, columns - 1), line.slice(before.length).trimEnd()]
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
