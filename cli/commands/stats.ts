/** `kago stats`: what containers use, drawn anew every second; each column with its last seconds on a wide terminal. */
import { shortId } from '../../shared/id.ts'
import type { ContainerStats } from '../../shared/protocol/stats.ts'
import { formatBinaryBytes, formatBytes } from '../../shared/units.ts'
import { callStream } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderListing, type Row } from '../format/render.ts'
import { sparkline } from '../format/sparkline.ts'
import { defined } from '../options/limits.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'
import { isTerminal, terminalSize } from '../terminal/tty.ts'

export const command = declare({
  usage: '[OPTIONS] [CONTAINER...]',
  words: { min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    all: flag('Show those that do not run too', { short: 'a' }),
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.Name}} {{.CPUPerc}}'"),
    'no-stream': flag('Show one sample and end'),
    'no-trunc': flag('Show everything in full'),
  },
  async run({ client, options, words }) {
    const query = defined({
      container: words.length === 0 ? undefined : [...words],
      all: options.all,
      once: options['no-stream'],
    })
    const { format } = options
    const isDrawn = isTerminal(1) && !options['no-stream'] && (format ?? 'table').startsWith('table')
    const histories = new Map<string, History>()
    await callStream(client, 'container.stats', { query }, async ({ containers }) => {
      for (const one of containers) remember(histories, one)
      const render = (width: number) =>
        renderListing(
          {
            titles,
            usual,
            rows: containers.map((one) => toRow(one, !options['no-trunc'], histories.get(one.id), width)),
          },
          format,
        )
      await print(isDrawn ? draw(render) : render(0))
    })
    return undefined
  },
})

const usual =
  'table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}'

const titles = {
  ID: 'CONTAINER ID',
  Container: 'CONTAINER',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
}

/** The whole screen, with the widest sparklines that fit it. */
function draw(render: (sparkWidth: number) => string): string {
  const { columns, rows } = terminalSize() ?? { columns: 80, rows: 24 }
  const fits = (page: string) => page.split('\n').every((line) => Array.from(line).length < columns)
  const page = [16, 10, 6].map(render).find(fits) ?? render(0)
  const lines = page
    .trimEnd()
    .split('\n')
    .slice(0, Math.max(2, rows - 1))
  const cut = lines.map((line) =>
    Array.from(line)
      .slice(0, columns - 1)
      .join(''),
  )
  return `\x1b[H${cut.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`
}

/** What is drawn of each column, oldest first. */
interface History {
  cpu: number[]
  memory: number[]
  network: number[]
  block: number[]
  pids: number[]
  /** The counters of the sample before. */
  last: { network: number; block: number } | undefined
}

const kept = 16

function remember(histories: Map<string, History>, one: ContainerStats): void {
  const history = histories.get(one.id) ?? {
    cpu: [],
    memory: [],
    network: [],
    block: [],
    pids: [],
    last: undefined,
  }
  const network = (one.receivedBytes ?? 0) + (one.sentBytes ?? 0)
  const block = (one.readBytes ?? 0) + (one.writtenBytes ?? 0)
  const add = (values: number[], value: number) => {
    values.push(Math.max(0, value))
    if (values.length > kept) values.shift()
  }
  add(history.cpu, one.cpuPercent ?? 0)
  add(history.memory, one.memoryBytes ?? 0)
  // Of what only grows, what came since the sample before.
  add(history.network, history.last === undefined ? 0 : network - history.last.network)
  add(history.block, history.last === undefined ? 0 : block - history.last.block)
  add(history.pids, one.pids ?? 0)
  history.last = { network, block }
  histories.set(one.id, history)
}

function toRow(one: ContainerStats, isShort: boolean, history: History | undefined, sparkWidth: number): Row {
  const spark = (values: readonly number[] | undefined) =>
    sparkWidth === 0 || values === undefined ? '' : ` ${sparkline(values, sparkWidth)}`
  const isOff = one.cpuMicroseconds === null && one.memoryBytes === null
  const pair = (a: number | null, b: number | null, format: (bytes: number) => string) =>
    isOff ? '-- / --' : `${format(a ?? 0)} / ${format(b ?? 0)}`
  const percent = (value: number) => (isOff ? '--' : `${value.toFixed(2)}%`)
  const limit = one.memoryLimitBytes ?? 0
  return {
    Container: escapeLine(isShort ? shortId(one.id) : one.id),
    ID: escapeLine(isShort ? shortId(one.id) : one.id),
    Name: escapeLine(one.name),
    CPUPerc: `${percent(one.cpuPercent ?? 0)}${spark(history?.cpu)}`,
    MemUsage: `${pair(one.memoryBytes, one.memoryLimitBytes, formatBinaryBytes)}${spark(history?.memory)}`,
    MemPerc: percent(limit === 0 ? 0 : ((one.memoryBytes ?? 0) / limit) * 100),
    NetIO: `${pair(one.receivedBytes, one.sentBytes, formatBytes)}${spark(history?.network)}`,
    BlockIO: `${pair(one.readBytes, one.writtenBytes, formatBytes)}${spark(history?.block)}`,
    PIDs: `${isOff ? '--' : (one.pids ?? 0)}${spark(history?.pids)}`,
  }
}
