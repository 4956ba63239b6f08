/** Shows how a pull, a load or a push goes on: bars that redraw themselves on a terminal, plain lines elsewhere. */
import type { LayerProgress, Progress } from '../../shared/protocol/progress.ts'
import { formatBytes, formatDuration } from '../../shared/units.ts'
import { escapeLine } from './escape.ts'
import { printError } from './output.ts'
import { isTerminal, terminalSize } from './tty.ts'

export interface ProgressView {
  report(progress: Progress): void
  /** Draws the last state and leaves the cursor below it. */
  end(): void
}

export interface Screen {
  write(text: string): void
  /** Undefined where nothing can be redrawn. */
  size(): { columns: number; rows: number } | undefined
  now(): number
}

const redrawMs = 80

/** Progress goes to stderr: stdout is the container's, or holds the result. */
export function progressFor({ isQuiet }: { isQuiet: boolean }): ProgressView {
  if (isQuiet) return { report: () => {}, end: () => {} }
  let view: ProgressView | undefined
  return {
    report(progress) {
      if (progress.type === 'created') return
      view ??= createProgressView({
        // Nobody who reads: the command goes on without its progress.
        write: (text) => void printError(text).catch(() => {}),
        size: () => (isTerminal(2) ? (terminalSize() ?? { columns: 80, rows: 24 }) : undefined),
        now: () => performance.now(),
      })
      view.report(progress)
    },
    end() {
      view?.end()
    },
  }
}

export function createProgressView(screen: Screen): ProgressView {
  return screen.size() === undefined ? new Lines(screen) : new Bars(screen)
}

/** What is worth a line of its own in both views. */
function sentence(progress: Progress): string | undefined {
  if (progress.type === 'notice') return escapeLine(progress.message)
  if (progress.type !== 'resolved') return undefined
  const { reference, digest, rateLimit } = progress
  const head = `Pulling ${escapeLine(reference)} (${escapeLine(digest.slice(0, 19))})`
  if (rateLimit === undefined || rateLimit.remaining > Math.max(10, rateLimit.limit / 5)) return head
  const window = rateLimit.windowSeconds
  const per = window === undefined ? '' : ` in ${describeWindow(window)}`
  return `${head}\nthe registry allows ${rateLimit.remaining} more pulls of ${rateLimit.limit}${per}`
}

function describeWindow(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600}h` : formatDuration(seconds * 1000)
}

function shortDigest(digest: string): string {
  return escapeLine(digest.replace(/^sha256:/, '').slice(0, 12))
}

const phaseWords: Readonly<Record<LayerProgress['phase'], string>> = {
  waiting: 'Waiting',
  downloading: 'Downloading',
  downloaded: 'Download complete',
  unpacking: 'Unpacking',
  exists: 'Already exists',
  done: 'Pull complete',
  uploading: 'Pushing',
  uploaded: 'Pushed',
  mounted: 'Mounted',
  'left-out': 'Left out',
}

const overPhases: readonly LayerProgress['phase'][] = ['done', 'exists', 'uploaded', 'mounted', 'left-out']
const movingPhases: readonly LayerProgress['phase'][] = ['downloading', 'uploading']

/** One line per change of phase. */
class Lines implements ProgressView {
  readonly #screen: Screen
  readonly #phases = new Map<string, LayerProgress['phase']>()

  constructor(screen: Screen) {
    this.#screen = screen
  }

  report(progress: Progress): void {
    const text = progress.type === 'layer' ? this.#layerLine(progress) : sentence(progress)
    if (text !== undefined) this.#screen.write(`${text}\n`)
  }

  end(): void {}

  #layerLine({ digest, phase, total }: LayerProgress): string | undefined {
    if (this.#phases.get(digest) === phase) return undefined
    this.#phases.set(digest, phase)
    const size = movingPhases.includes(phase) && total !== undefined ? ` ${formatBytes(total)}` : ''
    return `${shortDigest(digest)}: ${phaseWords[phase]}${size}`
  }
}

/** A line per layer and one for the whole, drawn over themselves. */
class Bars implements ProgressView {
  readonly #screen: Screen
  readonly #layers = new Map<string, LayerProgress>()
  readonly #moved = new Map<string, number>()
  #drawnLines = 0
  #drawnAt = Number.NEGATIVE_INFINITY
  #startedAt: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(screen: Screen) {
    this.#screen = screen
  }

  report(progress: Progress): void {
    const text = sentence(progress)
    if (text !== undefined) {
      this.#screen.write(`${this.#erase()}${text}\n`)
      this.#draw()
    }
    if (progress.type !== 'layer') return
    this.#layers.set(progress.digest, progress)
    if (movingPhases.includes(progress.phase)) {
      this.#startedAt ??= this.#screen.now()
      this.#moved.set(progress.digest, progress.current ?? 0)
    }
    const wait = this.#drawnAt + redrawMs - this.#screen.now()
    if (wait <= 0) this.#draw()
    else this.#timer ??= setTimeout(() => this.#draw(), wait)
  }

  end(): void {
    if (this.#timer === undefined) return
    this.#draw()
  }

  #draw(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#drawnAt = this.#screen.now()
    const { columns, rows } = this.#screen.size() ?? { columns: 80, rows: 24 }
    const lines = this.#lines(columns, Math.max(3, rows - 1))
    this.#screen.write(`${this.#erase()}${lines.map((line) => `${line.slice(0, columns - 1)}\n`).join('')}`)
    this.#drawnLines = lines.length
  }

  #erase(): string {
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A`
    this.#drawnLines = 0
    return `${up}\r\x1b[J`
  }

  #lines(columns: number, rows: number): string[] {
    const layers = [...this.#layers.values()]
    if (layers.length === 0) return []
    const isOver = ({ phase }: LayerProgress) => overPhases.includes(phase)
    // Where not all have room, those that are done go first.
    const hidden = Math.max(0, layers.length - (rows - 2))
    const over = layers.filter(isOver)
    const shown = hidden === 0 ? layers : [...over.slice(hidden), ...layers.filter((layer) => !isOver(layer))]
    const lines = shown.slice(0, rows - 2).map((layer) => layerBar(layer, columns))
    return [...lines, this.#total(layers, over.length)]
  }

  #total(layers: readonly LayerProgress[], over: number): string {
    const bytes = [...this.#moved.values()].reduce((sum, value) => sum + value, 0)
    const seconds = this.#startedAt === undefined ? 0 : (this.#screen.now() - this.#startedAt) / 1000
    const speed = seconds > 0.2 && layers.some(({ phase }) => movingPhases.includes(phase))
    const tail = speed ? `, ${formatBytes(bytes)} at ${formatBytes(bytes / seconds)}/s` : ''
    return `${over} of ${layers.length} layers${tail}`
  }
}

const barWidth = 24

function layerBar({ digest, phase, current = 0, total }: LayerProgress, columns: number): string {
  const head = `${shortDigest(digest)}  ${phaseWords[phase].padEnd(17)}`
  const isMoving = movingPhases.includes(phase) || phase === 'unpacking'
  if (!isMoving || total === undefined || total <= 0) return head
  const part = Math.min(1, current / total)
  const filled = Math.round(part * barWidth)
  const bar = columns < 72 ? '' : ` [${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`
  return `${head}${bar} ${formatBytes(current)}/${formatBytes(total)}`
}
