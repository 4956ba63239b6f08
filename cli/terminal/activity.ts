/** Says on a terminal what kago waits for, once that takes longer than half a second; and nothing of it is left. */
import { formatDuration } from '../../shared/units.ts'
import { escapeLine } from './escape.ts'

export interface ActivityScreen {
  /** Whether anybody sees it. */
  isTerminal(): boolean
  columns(): number
  write(text: string): void
  now(): number
}

export interface Activities {
  /** Something begins; what it answers with ends it. `id` is a route's, `target` what it acts on. */
  begin(id: string, target?: string): () => void
}

const patienceMs = 500
const redrawMs = 100
const wheel = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'

const words: Readonly<Record<string, string>> = {
  commit: 'committing',
  connect: 'connecting',
  create: 'creating',
  disconnect: 'disconnecting',
  export: 'exporting',
  import: 'importing',
  kill: 'killing',
  load: 'loading',
  login: 'logging in',
  pause: 'pausing',
  prune: 'removing what is not needed',
  pull: 'pulling',
  remove: 'removing',
  push: 'pushing',
  rename: 'renaming',
  restart: 'restarting',
  save: 'saving',
  start: 'starting',
  stop: 'stopping',
  tag: 'tagging',
  unpause: 'thawing',
  update: 'updating',
}

/** Several at once share one line. */
export function createActivities(screen: ActivityScreen): Activities {
  const active = new Set<{ doing: string; target: string; since: number }>()
  let timer: NodeJS.Timeout | undefined
  let isDrawn = false
  let turn = 0

  const erase = () => {
    if (isDrawn) screen.write('\r\x1b[K')
    isDrawn = false
  }
  const draw = () => {
    timer = setTimeout(draw, redrawMs)
    const late = [...active].filter(({ since }) => screen.now() - since >= patienceMs)
    const [first] = late
    if (first === undefined) return
    const more = late.length === 1 ? '' : ` and ${late.length - 1} more`
    const time = formatDuration(Math.floor((screen.now() - first.since) / 100) * 100)
    const text = `${wheel[turn++ % wheel.length]} ${first.doing} ${escapeLine(first.target)}${more}`
    screen.write(
      `\r${Array.from(text)
        .slice(0, screen.columns() - 10)
        .join('')}  ${time}\x1b[K`,
    )
    isDrawn = true
  }

  return {
    begin(id, target = '') {
      const verb = id.slice(id.indexOf('.') + 1)
      const one = { doing: words[verb] ?? id.replaceAll(/[.-]/g, ' '), target, since: screen.now() }
      active.add(one)
      if (timer === undefined) {
        timer = setTimeout(() => {
          if (screen.isTerminal()) draw()
        }, patienceMs)
      }
      return () => {
        active.delete(one)
        // What is printed next has the line to itself; the others are drawn again in a moment.
        erase()
        if (active.size > 0) return
        clearTimeout(timer)
        timer = undefined
      }
    },
  }
}
