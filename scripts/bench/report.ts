/** Writes what was measured as Markdown: the figures, the targets, and what could not be measured. */
import type { Engine, EngineName } from './engine.ts'
import type { Row, Target } from './measure.ts'
import { median, pairedRatio, quickestRatio, spread } from './statistics.ts'

const titles: Record<EngineName, string> = {
  kago: 'kago',
  'kago crun': 'kago by crun',
  'kago unshare': 'kago by unshare',
  docker: 'Docker',
  podman: 'Podman',
  runc: 'no engine',
}

export interface Verdict {
  target: string
  wanted: number
  measured: number
  /** For a ratio of times: that of the quickest run of each side, which is nearest to a quiet machine's. */
  ofQuickest?: number
  /** For a ratio of times: that of CPU, which a busy machine changes less. */
  inCpu?: number
  unit: string
  isMet: boolean
}

/** Figures, targets and failures. */
export function report(rows: readonly Row[], engines: readonly Engine[]): string {
  return [
    figures(rows, engines),
    '',
    ...table(
      ['target', 'wanted', 'measured', 'of the quickest', 'in CPU', ''],
      verdicts(rows).map(({ target, wanted, measured, ofQuickest, inCpu, unit, isMet }) => [
        target,
        `≤ ${wanted}${unit}`,
        `${figure(measured)}${unit}`,
        ofQuickest === undefined ? '' : `${figure(ofQuickest)}${unit}`,
        inCpu === undefined ? '' : `${figure(inCpu)}${unit}`,
        isMet ? 'met' : '**missed**',
      ]),
    ),
    ...failures(rows).map((line) => `\n${line}`),
  ].join('\n')
}

export function figures(rows: readonly Row[], engines: readonly Engine[]): string {
  const names = engines.map(({ name }) => name)
  return table(
    ['', ...names.map((name) => titles[name])],
    rows.map((row) => [row.name, ...names.map((name) => cell(row, name))]),
  ).join('\n')
}

/** Of every target whose two sides were measured. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return rows.flatMap((row) =>
    row.targets.flatMap((target) => {
      const measured = compare(row, target, rows, pairedRatio)
      if (measured === undefined) return []
      const isRatio = target.against !== undefined
      const isTime = isRatio && target.of === 'wall'
      const ofQuickest = isTime ? compare(row, target, rows, quickestRatio) : undefined
      const inCpu = isTime ? compare(row, { ...target, of: 'cpu' }, rows, pairedRatio) : undefined
      return [
        {
          target: describe(row, target),
          wanted: target.most,
          measured,
          ...(ofQuickest !== undefined && { ofQuickest }),
          ...(inCpu !== undefined && { inCpu }),
          unit: isRatio ? ' ×' : ` ${row.unit}`,
          isMet: measured <= target.most,
        },
      ]
    }),
  )
}

function compare(
  row: Row,
  target: Target,
  rows: readonly Row[],
  ratio: typeof pairedRatio,
): number | undefined {
  const own = row[target.of]?.get(target.engine)
  if (own === undefined) return undefined
  if (target.against === undefined) return median(own)
  const other = rows.find(({ name }) => name === (target.againstRow ?? row.name))
  const values = other?.[target.of]?.get(target.against)
  return values === undefined ? undefined : ratio(own, values)
}

function describe(row: Row, { engine, of, against, againstRow }: Target): string {
  const measure = row.unit === 'MB' ? '' : of === 'wall' ? ', time' : ', CPU'
  const other = againstRow ?? (against === undefined ? undefined : titles[against])
  return `${row.name}${measure}: ${titles[engine]}${other === undefined ? '' : ` ÷ ${other}`}`
}

/** `123 ±4 (45)`: median and spread of the time, median CPU. A `!` says that the engine has failed in between. */
function cell(row: Row, name: EngineName): string {
  const values = row.wall.get(name)
  const hasFailed = row.failures.has(name)
  if (values === undefined) return hasFailed ? 'failed' : ''
  const mark = hasFailed ? ' !' : ''
  if (row.unit === 'MB') return `${figure(median(values))} MB${mark}`
  const cpu = row.cpu?.get(name)
  return `${figure(median(values))} ±${figure(spread(values))}${cpu ? ` (${figure(median(cpu))})` : ''}${mark}`
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function failures(rows: readonly Row[]): string[] {
  return rows.flatMap((row) =>
    [...row.failures].map(([name, reason]) => {
      const kept = row.wall.get(name)?.length ?? 0
      return `${row.name}: ${titles[name]} failed after ${kept} runs: ${reason.replaceAll('\n', ' ')}`
    }),
  )
}

function table(heads: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const all = [heads, ...lines]
  const widths = heads.map((_, column) => Math.max(3, ...all.map((line) => line[column]?.length ?? 0)))
  const draw = (line: readonly string[]) =>
    `| ${widths.map((width, column) => (line[column] ?? '').padEnd(width)).join(' | ')} |`
  return [draw(heads), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(draw)]
}
