/** `kago top`: the processes of a container, in Docker's columns or in those that ps(1) is asked for. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { alignColumns } from '../format/table.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: 'CONTAINER [PS OPTIONS]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  stopsEarly: true,
  options: {},
  async run({ client, words: [id = '', ...given] }) {
    const ps = given.flatMap((word) => word.split(/\s+/)).filter((word) => word !== '')
    const query = ps.length > 0 ? { ps } : {}
    const { processes, table } = await call(client, 'container.top', { params: { id }, query })
    if (table !== undefined) {
      await printTable([table.titles, ...table.rows])
      return undefined
    }
    const now = Date.now()
    const rows = processes.map((one) => [
      one.user,
      one.pid,
      one.parentPid,
      processorShare(one.cpuSeconds, now - Date.parse(one.startedAt)),
      startTime(new Date(one.startedAt), new Date(now)),
      one.terminal,
      processorTime(one.cpuSeconds),
      one.command,
    ])
    await printTable([['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], ...rows])
    return undefined
  },
})

async function printTable(lines: readonly (readonly (string | number)[])[]): Promise<void> {
  await print(alignColumns(lines.map((line) => line.map((cell) => escapeLine(String(cell))).join('\t'))))
}

/** Percent of one processor since it began, as in ps(1). */
function processorShare(seconds: number, milliseconds: number): number {
  return milliseconds <= 0 ? 0 : Math.min(99, Math.trunc((seconds * 100_000) / milliseconds))
}

/** The time of day for what began in the last day, else the date. */
function startTime(started: Date, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  if (now.getTime() - started.getTime() < 86_400_000)
    return `${two(started.getHours())}:${two(started.getMinutes())}`
  return `${started.toLocaleString('en', { month: 'short' })}${two(started.getDate())}`
}

function processorTime(seconds: number): string {
  const two = (value: number) => String(Math.trunc(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
}
